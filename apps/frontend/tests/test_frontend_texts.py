"""Texts, plural forms, money and moments."""

import re
import string
from datetime import datetime, timedelta, timezone
from pathlib import Path

import frontend
import pytest
from babel import Locale
from frontend import formats
from frontend.languages import LANGUAGES, elsewhere, of_text
from frontend.texts import WORDS, load

SOURCE = Path(frontend.__file__).parent
FILES = [*SOURCE.rglob("*.html"), *SOURCE.rglob("*.py")]


def placeholders(text) -> set[str]:
    variants = [text] if isinstance(text, str) else text.values()
    return {name for one in variants for _, name, _, _ in string.Formatter().parse(one) if name}


def test_every_language_has_every_text():
    names = {language: set(load(language)) for language in LANGUAGES}
    assert all(found == names["en"] for found in names.values()), [
        names["en"] ^ found for found in names.values()
    ]


@pytest.mark.parametrize("name", sorted(load("en")))
def test_a_text_means_the_same_in_every_language(name):
    texts = {language: load(language)[name] for language in LANGUAGES}
    assert len({isinstance(text, str) for text in texts.values()}) == 1
    assert len({frozenset(placeholders(text)) for text in texts.values()}) == 1
    for language, text in texts.items():
        if not isinstance(text, str):
            assert text.keys() == {*Locale.parse(language).plural_form.tags, "other"}
            assert all("{count}" in one for one in text.values())


def test_every_text_is_used_and_every_used_text_exists():
    code = "\n".join(path.read_text() for path in FILES)
    names = set(load("en"))
    heads = {name.partition(".")[0] for name in names}
    found = {
        name for name in re.findall(r'"([a-z_]+\.[a-z_0-9.]+)"', code) if name.partition(".")[0] in heads
    }
    used = {name for name in found if not name.endswith((".html", ".css", ".js"))}
    assert used - names == {"problem.other", "problem.administrators"}  # a title and a text
    # Names that are put together from a word of the program.
    made = ("category.", "event.", "notice.", "problem.", "status.", "checkout.un")
    assert {name for name in names - used if not name.startswith(made)} == set()


def test_texts_that_pages_put_together_exist():
    words = WORDS["en"]
    notices = re.findall(r'(?:done|problem)="(\w+)"', "\n".join(path.read_text() for path in FILES))
    assert notices
    assert [name for name in notices if not words.has(f"notice.{name}")] == []


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 товаров"), (1, "1 товар"), (2, "2 товара"), (4, "4 товара"), (5, "5 товаров"), (11, "11 товаров"),
        (12, "12 товаров"), (14, "14 товаров"), (21, "21 товар"), (22, "22 товара"), (25, "25 товаров"),
        (101, "101 товар"), (111, "111 товаров"), (1002, "1002 товара"),
    ],
)  # fmt: skip
def test_russian_plural_forms(count, expected):
    assert WORDS["ru"]("shop.count", count=count) == expected


def test_english_plural_forms():
    words = WORDS["en"]
    assert [words("shop.count", count=count) for count in (1, 2)] == ["1 product", "2 products"]


@pytest.mark.parametrize(
    ("amount", "currency", "language", "expected"),
    [
        (129000, "RUB", "en", "₽1,290"),
        (129050, "RUB", "en", "₽1,290.50"),
        (129000, "RUB", "ru", "1 290 ₽"),
        (1290005, "RUB", "ru", "12 900,05 ₽"),
        (0, "RUB", "ru", "0 ₽"),
        (1999, "EUR", "en", "€19.99"),
        (1999, "JPY", "en", "¥1,999"),
    ],
)
def test_money(amount, currency, language, expected):
    written = formats.money(amount, currency, language)
    assert written.replace("\xa0", " ").replace("\u202f", " ") == expected


def test_moments_are_in_utc():
    when = datetime(2026, 11, 25, 1, 30, tzinfo=timezone(timedelta(hours=3)))
    assert formats.moment(when, "en") == "24 November 2026, 22:30 UTC"
    assert formats.moment(when, "ru") == "24 ноября 2026, 22:30 UTC"


def test_the_same_page_in_another_language():
    assert elsewhere("/en/cart", "ru") == "/ru/cart"
    assert elsewhere("/en/shop/?page=2", "ru") == "/ru/shop/?page=2"
    assert elsewhere("/api/docs", "ru") == "/ru/shop/"
    assert elsewhere("/", "ru") == "/ru/shop/"


def test_language_of_names():
    assert (of_text("Desk lamp"), of_text("Лампа")) == ("en", "ru")
