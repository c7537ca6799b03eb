"""The products application over a real database."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from products.application import create_app
from products.samples import seed
from products.settings import ProductsSettings
from support.apps import empty
from support.postgres import Server


@pytest.fixture
def app(products_database: Server, products_settings: dict[str, Any]) -> Iterator[Flask]:
    settings = ProductsSettings(**products_settings)
    seed(settings)
    app = create_app(settings)
    yield app
    app.extensions["database"].close()
    empty(products_database, "products")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
