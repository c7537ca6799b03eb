"""What every template may use."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Flask, request
from tandem_common.fields import Money

from frontend import formats, languages
from frontend.assets import PICTURES, Assets, known
from frontend.services import Product
from frontend.texts import WORDS, Words

PLACE = ("q", "page", "next", "add", "type", "user", "since", "until", "before")
"""Query parameters that say what a page shows; others are ours, or a stranger's."""


def page_language() -> str:
    """Language of the present page: its path's, else the one the browser prefers."""
    head = request.path.split("/")[1]
    return head if head in languages.LANGUAGES else languages.wanted(request.accept_languages)


def words() -> Words:
    """The texts of that language."""
    return WORDS[page_language()]


def set_up_templates(app: Flask, assets: Assets) -> None:
    """Give the templates texts, formats and URLs of files."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["language_of"] = languages.of_text

    pictures = {name: assets.picture(name) for name in sorted(PICTURES)}

    @app.context_processor
    def names() -> dict[str, Any]:
        language = page_language()
        return {
            "t": WORDS[language],
            "language": language,
            "languages": _alternatives(language),
            "asset": assets.url,
            "picture": assets.picture,
            "pictures": pictures,
            "known": known,
            "money": _money(language),
            "category": lambda product: category_name(product, WORDS[language]),
            "moment": lambda when: formats.moment(when, language),
        }


def _money(language: str) -> Callable[..., str]:
    def write(price: Money, quantity: int = 1) -> str:
        return formats.money(price.amount * quantity, price.currency, language)

    return write


def _alternatives(language: str) -> list[dict[str, str]]:
    """The same page in the other languages; of its query, what says which page it is."""
    query = {name: request.args[name] for name in PLACE if name in request.args}
    path = request.path + (f"?{urlencode(query)}" if query else "")
    return [
        {"code": other, "name": languages.NAMES[other], "url": languages.elsewhere(path, other)}
        for other in languages.LANGUAGES
        if other != language
    ]


def category_name(product: Product, text: Words) -> str:
    """Name of a product's category; a new one that this release does not know goes by its own name."""
    name = f"category.{product.category}"
    return text(name) if text.has(name) else product.category
