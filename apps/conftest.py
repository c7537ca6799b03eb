"""Fixtures of all applications' tests: a real PostgreSQL, a database per application, keys."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings
from support.apps import database_settings, prepare
from support.broker import PLAN, Broker
from support.postgres import Server

settings.register_profile("apps", database=None, deadline=None)
settings.load_profile("apps")


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> None:
    """The developer's own settings must not reach the tests."""
    for name in ("DATABASE_DSN", "DATABASE_READ_DSN", "CREDENTIALS_DIRECTORY", "PRODUCTS_URL"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a new, empty server."""
    folder = tmp_path_factory.mktemp("postgres") / "data"
    with Server.started() as running:
        running.stop()
        subprocess.run(["cp", "-a", running.data, folder], check=True)
    return folder


@pytest.fixture(scope="session")
def server(pattern: Path) -> Iterator[Server]:
    """A PostgreSQL server for the whole run."""
    with Server.started(pattern) as running:
        yield running


@pytest.fixture
def own_server(pattern: Path) -> Iterator[Server]:
    """A PostgreSQL server that the test may break."""
    with Server.started(pattern) as running:
        yield running


@pytest.fixture(scope="session")
def broker_node() -> Iterator[Broker]:
    """A RabbitMQ with TLS and the events of all tests; tests that break it put it right again."""
    with Broker.started(PLAN) as running:
        yield running


@pytest.fixture
def broker(broker_node: Broker) -> Iterator[Broker]:
    """The same without messages."""
    broker_node.empty()
    yield broker_node


@pytest.fixture(scope="session")
def private_key() -> ec.EllipticCurvePrivateKey:
    """The key that signs tokens."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def private_pem(private_key: ec.EllipticCurvePrivateKey) -> str:
    """The same in PEM."""
    return private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="session")
def public_pem(private_key: ec.EllipticCurvePrivateKey) -> str:
    """Its public half."""
    return (
        private_key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@pytest.fixture(scope="session")
def users_database(server: Server) -> Server:
    """The server with the users database."""
    return prepare(server, "users")


@pytest.fixture
def users_settings(users_database: Server) -> dict[str, Any]:
    """What the users application is told about its database."""
    return database_settings(users_database, "users")


@pytest.fixture(scope="session")
def products_database(server: Server) -> Server:
    """The server with the products database."""
    return prepare(server, "products")


@pytest.fixture
def products_settings(products_database: Server) -> dict[str, Any]:
    """What the products application is told about its database."""
    return database_settings(products_database, "products")


@pytest.fixture(scope="session")
def audit_database(server: Server) -> Server:
    """The server with the audit database."""
    return prepare(server, "audit")


@pytest.fixture
def audit_settings(audit_database: Server) -> dict[str, Any]:
    """What the audit application is told about its database."""
    return database_settings(audit_database, "audit")


@pytest.fixture(scope="session")
def orders_database(server: Server) -> Server:
    """The server with the orders database."""
    return prepare(server, "orders")


@pytest.fixture
def orders_settings(orders_database: Server) -> dict[str, Any]:
    """What the orders application is told about its database."""
    return database_settings(orders_database, "orders")
