"""The messages' texts, in the reader's language (texts/<language>.toml)."""

import tomllib
import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any, Final

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, get_currency_precision

LANGUAGES: Final = ("en", "ru")
DEFAULT: Final = "en"
SYMBOLS: Final = {"RUB": "₽"}
"""Where the locale would write the code for a currency that our buyers know by its sign."""
_LOCALES: Final = {language: Locale.parse(language) for language in LANGUAGES}


def load(language: str) -> dict[str, str]:
    """Texts of one language by dotted name."""
    source = resources.files("notifications") / "texts" / f"{language}.toml"
    return dict(_flat(tomllib.loads(source.read_text(encoding="utf-8")), ""))


def _flat(tree: dict[str, Any], prefix: str) -> Iterable[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")


TEXTS: Final = {language: load(language) for language in LANGUAGES}


def known(language: str) -> str:
    """A language that there are texts in."""
    head = language.lower().partition("-")[0]
    return head if head in LANGUAGES else DEFAULT


def write(language: str, name: str, /, **values: object) -> str:
    """The text with its placeholders filled."""
    return TEXTS[language][name].format(**values).lstrip("\n")


def money(amount: int, currency: str, language: str) -> str:
    """An amount in the currency's smallest unit, as the language writes it."""
    value = Decimal(amount).scaleb(-get_currency_precision(currency))
    written: str = format_currency(value, currency, locale=_LOCALES[language])
    return written.replace(currency, SYMBOLS.get(currency, currency))


def day(when: date, language: str) -> str:
    """A day."""
    written: str = format_date(when, "long", locale=_LOCALES[language])
    return written


def short(order_id: uuid.UUID) -> str:
    """The beginning of an order's number, for subjects and SMS."""
    return order_id.hex[:8].upper()
