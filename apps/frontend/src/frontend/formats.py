"""Money and moments as each language writes them."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_datetime
from babel.numbers import NumberPattern, get_currency_precision, get_currency_symbol, parse_pattern

from frontend.languages import LOCALES

SYMBOLS = {"RUB": "₽"}
"""Where the locale would write the code for a currency that our buyers know by its sign."""


def money(amount: int, currency: str, language: str) -> str:
    """A price; `amount` is in the currency's smallest unit. Round sums have no fraction."""
    digits = get_currency_precision(currency)
    value = Decimal(amount).scaleb(-digits)
    whole = value == value.to_integral_value()
    locale = LOCALES[language]
    text: str = _pattern(language, 0 if whole else digits).apply(value, locale, currency_digits=False)
    return text.replace("\xa4", SYMBOLS.get(currency) or get_currency_symbol(currency, locale))


@lru_cache
def _pattern(language: str, digits: int) -> NumberPattern:
    pattern: str = LOCALES[language].currency_formats["standard"].pattern
    fraction = "." + "0" * digits if digits else ""
    # The sign is put in afterwards: \xa4 would become what the locale prefers.
    return parse_pattern(pattern.replace("0.00", "0" + fraction).replace("\xa4", "'\xa4'"))


def moment(when: datetime, language: str) -> str:
    """A date and time in UTC: the server does not know where the reader is. In browsers, shop.js makes it local."""
    return format_datetime(when.astimezone(UTC), "d MMMM y, HH:mm 'UTC'", locale=LOCALES[language])
