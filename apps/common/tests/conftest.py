"""The shared package over a real database with one small table."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.apps import database_settings, empty
from support.postgres import Server
from support.things import make_common_database
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings


@pytest.fixture(scope="session")
def common_database(server: Server) -> Server:
    return make_common_database(server)


@pytest.fixture
def common_settings(common_database: Server) -> dict[str, Any]:
    return database_settings(common_database, "common", write_wait_seconds=2, commit_wait_seconds=1)


@pytest.fixture
def database(common_database: Server, common_settings: dict[str, Any]) -> Iterator[Database]:
    database = Database(DatabaseSettings(**common_settings))
    yield database
    database.close()
    common_database.require_missing_standby(False)
    empty(common_database, "common")
