"""The languages of the pages, and which one a browser wants."""

from typing import Final

from babel import Locale
from werkzeug.datastructures import LanguageAccept

LANGUAGES: Final = ("en", "ru")
DEFAULT: Final = "en"
LOCALES: Final = {language: Locale.parse(language) for language in LANGUAGES}
NAMES: Final = {"en": "English", "ru": "Русский"}
"""As the languages call themselves."""


def wanted(accepted: LanguageAccept) -> str:
    """The best of our languages for an Accept-Language header."""
    return accepted.best_match(LANGUAGES, default=DEFAULT)


def of_text(text: str) -> str:
    """Language of a text of the catalogue, for screen readers: Russian when it has Cyrillic letters."""
    return "ru" if any("\u0400" <= character <= "\u04ff" for character in text) else "en"


def elsewhere(path: str, language: str) -> str:
    """The same page (`/en/cart?page=2`) in another language; other paths lead to the shop."""
    head, slash, tail = path.removeprefix("/").partition("/")
    return f"/{language}/{tail}" if slash and head in LANGUAGES else f"/{language}/shop/"
