"""The users application over a real database."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.apps import database_settings, empty, migrate
from support.postgres import Server
from users.application import create_app
from users.models import Base
from users.settings import UsersSettings


@pytest.fixture(scope="session")
def users_database(server: Server) -> Server:
    server.add_database("users")
    migrate(server, "users")
    return server


@pytest.fixture
def settings(users_database: Server, private_pem: str) -> dict[str, Any]:
    return database_settings(users_database, "users", jwt_key=private_pem, password_memory_kib=64, password_passes=1)


@pytest.fixture
def app(users_database: Server, settings: dict[str, Any]) -> Iterator[Flask]:
    yield create_app(UsersSettings(**settings))
    empty(users_database, "users", Base.metadata)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
