"""The audit application over a real database."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from audit.application import create_app
from audit.settings import AuditSettings
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from support.apps import empty
from support.postgres import Server
from tandem_common.tokens import ADMIN, Issuer
from werkzeug.test import TestResponse


@pytest.fixture
def app(audit_database: Server, audit_settings: dict[str, Any], public_pem: str) -> Iterator[Flask]:
    app = create_app(AuditSettings(**audit_settings, jwt_public=public_pem))
    yield app
    app.extensions["database"].close()
    empty(audit_database, "audit")


@pytest.fixture
def issuer(private_key: ec.EllipticCurvePrivateKey) -> Issuer:
    return Issuer(private_key, issuer="tandem-users", audience="tandem-shop", lifetime_seconds=60)


@pytest.fixture
def ask(app: Flask, issuer: Issuer) -> Callable[..., TestResponse]:
    """A question of an administrator."""

    def ask(roles: tuple[str, ...] = (ADMIN,), **query: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {issuer.issue(uuid.uuid4(), roles)}"}
        return app.test_client().get("/audit/events", query_string=query, headers=headers)

    return ask
