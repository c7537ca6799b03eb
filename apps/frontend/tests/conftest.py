"""The frontend over the stand-in of the services."""

from collections.abc import Iterator

import pytest
from flask import Flask
from frontend.application import create_app
from frontend.settings import FrontendSettings
from support.browser import Browser
from support.shop import Shop, product

PRODUCTS = [
    product(1, "Enamel mug", 69000),
    product(2, "Desk lamp", 419050, picture="lamp", category="home"),
    product(3, "Turntable", 4990000, picture="record", available=5),
    product(4, "First <series>", 100, picture="from a later release", category="new", available=0),
    *(product(number, f"Thing {number}", 1000 * number) for number in range(5, 30)),
]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(PRODUCTS)
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def app(shop: Shop) -> Flask:
    return create_app(FrontendSettings(read_seconds=1, write_seconds=0.6, home_seconds=0.5, **shop.urls))


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def ann(app: Flask) -> Browser:
    """Somebody who is logged in."""
    browser = Browser(app)
    browser.register("ann@example.org")
    return browser
