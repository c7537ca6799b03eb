"""The shared package over a real database with one small table."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.apps import database_settings, empty
from support.broker import Broker
from support.events import DATABASE, make_events_database, settings
from support.postgres import Server
from support.things import make_common_database
from tandem_common.database import Database
from tandem_common.settings import BrokerSettings, DatabaseSettings


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


@pytest.fixture(scope="session")
def events_server(server: Server) -> Server:
    return make_events_database(server)


@pytest.fixture
def events(events_server: Server) -> Iterator[Server]:
    """The server with an outbox, consumed messages and effects, all of them empty."""
    empty(events_server, DATABASE)
    yield events_server
    events_server.require_missing_standby(False)


@pytest.fixture
def producer(events: Server, broker: Broker) -> BrokerSettings:
    return settings(events, broker, "things")


@pytest.fixture
def keeper(events: Server, broker: Broker) -> BrokerSettings:
    """A consumer of two events."""
    return settings(events, broker, "keeper")


@pytest.fixture
def outbox(producer: BrokerSettings) -> Iterator[Database]:
    """The producer's database."""
    database = Database(producer)
    yield database
    database.close()
