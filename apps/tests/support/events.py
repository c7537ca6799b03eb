"""Events of tests, a database for them, and relays and consumers in threads."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from alembic.migration import MigrationContext
from alembic.operations import Operations
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from sqlalchemy import MetaData, text
from sqlalchemy.orm import Session
from tandem_common.database import Database, owner_engine
from tandem_common.events import Event, EventData, Handler, Handlers, publish
from tandem_common.events.consumer import Consumer
from tandem_common.events.relay import Relay
from tandem_common.events.stopping import Stop
from tandem_common.events.tables import add_consumed, add_outbox, create_consumed, create_outbox
from tandem_common.settings import BrokerSettings, DatabaseSettings

from support.apps import database_settings
from support.broker import Broker
from support.postgres import Server

DATABASE = "events"
METADATA = MetaData()
add_outbox(METADATA)
add_consumed(METADATA)


class ThingMade(EventData):
    """A thing was made."""

    type: ClassVar[str] = "thing.made"
    version: ClassVar[int] = 1

    number: int
    text: str = ""


class ThingSold(ThingMade):
    """A thing was sold."""

    type: ClassVar[str] = "thing.sold"


class ThingLost(ThingMade):
    """A thing was lost; nobody consumes this."""

    type: ClassVar[str] = "thing.lost"


class ThingUnknown(ThingMade):
    """An event without an exchange."""

    type: ClassVar[str] = "thing.unknown"


class Thing(BaseModel):
    """What a consumer reads of them."""

    number: int


def make_events_database(server: Server) -> Server:
    """A database with the tables that migrations make, and one of effects."""
    server.add_database(DATABASE)
    owner = DatabaseSettings(**database_settings(server, DATABASE, user=f"{DATABASE}_owner"))
    with owner_engine(owner).begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        create_outbox(op)
        create_consumed(op)
        connection.execute(
            text("create table effects (id bigserial primary key, type text, subject text, number bigint)")
        )
    return server


def settings(server: Server, broker: Broker, user: str, **more: Any) -> BrokerSettings:
    """Of a service that has that database."""
    retries = more.pop("retries", 5)
    database = database_settings(server, DATABASE, write_wait_seconds=2, commit_wait_seconds=1)
    return BrokerSettings(**{**database, **broker.settings(user, retries=retries), **more})


def say(database: Database, *events: EventData, subject: str | None = None) -> None:
    """Publish in one transaction; each about itself, if no subject is given."""

    def work(session: Session) -> None:
        for event in events:
            publish(session, event, subject=subject or str(uuid.uuid4()))

    database.transaction(work)


def note(session: Session, event: Event, data: Thing, _prepared: Any) -> None:
    """An effect that can be counted."""
    row = {"type": event.type, "subject": event.subject, "number": data.number}
    session.execute(
        text("insert into effects (type, subject, number) values (:type, :subject, :number)"), row
    )


NOTE = Handler(Thing, note)
NOTES: Handlers = {"thing.made": NOTE, "thing.sold": NOTE}


def numbers(server: Server) -> list[int]:
    """Effects in the order in which they came."""
    return [number for (number,) in server.execute("select number from effects order by id", DATABASE)]


def unsent(server: Server) -> int:
    """Rows of the outbox."""
    return int(server.execute("select count(*) from outbox", DATABASE)[0][0])


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


@contextmanager
def relaying(settings: BrokerSettings, registry: CollectorRegistry | None = None) -> Iterator[Stop]:
    """A relay in a thread."""
    relay = Relay(settings, registry or CollectorRegistry())
    with _running(relay.run) as stop:
        yield stop


@contextmanager
def consuming(
    settings: BrokerSettings, handlers: Handlers = NOTES, registry: CollectorRegistry | None = None
) -> Iterator[Stop]:
    """A consumer in a thread."""
    consumer = Consumer(settings, handlers, registry or CollectorRegistry())
    with _running(consumer.run) as stop:
        yield stop


@contextmanager
def _running(work: Callable[[Stop], None]) -> Iterator[Stop]:
    stop = Stop()
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work(stop)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive(), "it does not stop"
    assert not failed, failed
