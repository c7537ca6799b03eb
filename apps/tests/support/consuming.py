"""Events without a broker: what an outbox has, and a handler run as a consumer runs it."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session
from tandem_common.database import Database, make_durable
from tandem_common.events import Event, Handlers

from support.postgres import Server


def event(kind: str, data: dict[str, Any], *, version: int = 1) -> Event:
    """As it comes from a queue."""
    return Event(
        id=uuid.uuid4(),
        type=kind,
        version=version,
        subject=str(data.get("order_id") or data.get("user_id")),
        time=datetime.now(UTC),
        request_id=None,
        data=data,
    )


def handle(database: Database, handlers: Handlers, kind: str, data: dict[str, Any]) -> None:
    """Take one event, up to the commit of its effect; raises what would make a consumer try again."""
    handler, told = handlers[kind], event(kind, data)
    read = handler.data.model_validate(told.data)
    prepared = handler.prepare(told, read) if handler.prepare else None

    def work(session: Session) -> None:
        make_durable(session)  # a consumer notes the message's id here: its transaction is never empty
        handler.apply(session, told, read, prepared)

    database.transaction(work)


def outbox(server: Server, database: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of all events in an outbox, in their order."""
    rows = server.execute("select type, body from outbox order by id", database)
    return [(kind, (json.loads(body) if isinstance(body, str) else body)["data"]) for kind, body in rows]
