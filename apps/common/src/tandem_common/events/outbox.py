"""Publishing: an outbox row in the transaction of the change."""

import uuid
from typing import cast

from psycopg2 import extensions
from sqlalchemy import text
from sqlalchemy.orm import Session

from tandem_common.events.model import EventData, write
from tandem_common.request_ids import request_id

CHANNEL = "outbox"
"""Of NOTIFY, which wakes an idle relay."""
IDLE_LOCK = 0x54616E64656D02
"""Advisory lock that the relay holds while it sleeps. See `publish`."""

# Transactions that NOTIFY commit one after the other, each with its wait for the standby. So only those do that
# find the relay asleep: they can't share its lock. Whoever gets the share keeps it until the commit, and the
# relay does not go to sleep before all shares are given back.
_INSERT = text(
    "insert into outbox (message_id, subject, type, body) values (:message_id, :subject, :type, :body)"
    " returning case when not pg_try_advisory_xact_lock_shared(:lock)"
    " then pg_notify(:channel, '')::text end"
)


def publish(session: Session, data: EventData, *, subject: str) -> None:
    """Make `data` an event of this transaction: it is sent if, and only if, the transaction commits.

    `subject` is the id of the aggregate. Its events keep their order if transactions that publish for it wait for
    each other, so change (or lock) the aggregate's row before publishing. ValueError if the event is too large.
    """
    event_id = uuid.uuid4()
    body = write(data, event_id=event_id, source=_source(session), subject=subject, request_id=request_id())
    row = {"message_id": event_id, "subject": subject, "type": data.type, "body": body}
    session.execute(_INSERT, {**row, "lock": IDLE_LOCK, "channel": CHANNEL})


def _source(session: Session) -> str:
    """The database that the event comes from: each belongs to one service."""
    driver = cast(extensions.connection, session.connection().connection.driver_connection)
    return f"urn:tandem:database:{driver.info.dbname}"
