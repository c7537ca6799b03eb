"""The users application over a real database."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.apps import empty
from support.postgres import Server
from users.application import create_app
from users.settings import UsersSettings


@pytest.fixture
def settings(users_settings: dict[str, Any], private_pem: str) -> dict[str, Any]:
    return {**users_settings, "jwt_key": private_pem, "password_memory_kib": 64, "password_passes": 1}


@pytest.fixture
def app(users_database: Server, settings: dict[str, Any]) -> Iterator[Flask]:
    app = create_app(UsersSettings(**settings))
    yield app
    app.extensions["failures"].close()
    app.extensions["database"].close()
    empty(users_database, "users")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
