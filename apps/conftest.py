"""Fixtures of all applications' tests: a real PostgreSQL, a database per application, keys."""

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.postgres import Server


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> None:
    """The developer's own settings must not reach the tests."""
    for name in ("DATABASE_DSN", "DATABASE_READ_DSN", "CREDENTIALS_DIRECTORY", "PRODUCTS_URL"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server for the whole run."""
    with Server.started() as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A PostgreSQL server that the test may break."""
    with Server.started() as running:
        yield running


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
