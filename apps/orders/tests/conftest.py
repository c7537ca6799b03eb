"""The orders application over a real database and a real products service."""

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import products.application
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from orders.application import create_app
from orders.settings import OrdersSettings
from products.samples import seed
from products.settings import ProductsSettings
from support.apps import Shopper, empty
from support.postgres import Server
from tandem_common.tokens import Issuer
from werkzeug.serving import BaseWSGIServer, make_server


@pytest.fixture
def products_service(
    products_database: Server, products_settings: dict[str, Any]
) -> Iterator[BaseWSGIServer]:
    """The products application behind a real socket."""
    settings = ProductsSettings(**products_settings)
    seed(settings)
    application = products.application.create_app(settings)
    service = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield service
    service.shutdown()
    service.server_close()
    application.extensions["database"].close()
    empty(products_database, "products")


@pytest.fixture
def app(
    orders_database: Server,
    orders_settings: dict[str, Any],
    public_pem: str,
    products_service: BaseWSGIServer,
) -> Iterator[Flask]:
    url = f"http://127.0.0.1:{products_service.server_port}"
    app = create_app(OrdersSettings(**orders_settings, jwt_public=public_pem, products_url=url))
    yield app
    app.extensions["database"].close()
    empty(orders_database, "orders")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def issuer(private_key: ec.EllipticCurvePrivateKey) -> Issuer:
    return Issuer(private_key, issuer="tandem-users", audience="tandem-shop", lifetime_seconds=300)


@pytest.fixture
def shopper(app: Flask, issuer: Issuer) -> Shopper:
    """A user with a token."""
    return Shopper(app, issuer.issue(uuid.uuid4()))
