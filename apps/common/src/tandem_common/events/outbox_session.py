"""The relay's connection to the outbox: one session on the primary, which also holds the lock of the active relay.

Whoever lost this session has lost the lead, and can't take a row out of the outbox any more.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from tandem_common import deadlines
from tandem_common.database import WRITE_SESSION
from tandem_common.events.outbox import CHANNEL, IDLE_LOCK
from tandem_common.events.stopping import Stop
from tandem_common.nodes import Nodes
from tandem_common.problems import OutcomeUnknown
from tandem_common.settings import BrokerSettings

LEAD_LOCK = 0x54616E64656D01
"""Advisory lock of the active relay."""

# The server lets go of the lock of a relay whose host is gone, or that is frozen, within these times.
SESSION = {
    **WRITE_SESSION,
    "idle_session_timeout": "10000",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}

# One statement, so one round trip and one COMMIT. That COMMIT waits for the standby also if it only reads: what
# is read may exist on the primary alone, and an event must not be sent for a change that a failover takes back.
_EXCHANGE = """
with gone as (delete from outbox where id = any(%(sent)s::bigint[])),
found as materialized (
  select id, message_id, subject, type, body from outbox as o
  where id <> all(%(known)s::bigint[]) {condition}
  order by id limit %(limit)s
),
durable as materialized (
  select pg_logical_emit_message(true, 'tandem', 'relay') from (select 1 from found limit 1) as any_row
)
select found.* from found left join durable on true order by id
"""
# Types that are held back, and what follows them within an aggregate.
_NOT_HELD = """
  and type <> all(%(held)s)
  and not exists (
    select 1 from outbox as e where e.subject = o.subject and e.id < o.id and e.type = any(%(held)s)
  )
"""
_PROBE = """
  and type = %(type)s
  and not exists (select 1 from outbox as e where e.subject = o.subject and e.id < o.id)
"""


@dataclass(frozen=True)
class Row:
    """An event that waits in the outbox."""

    id: int
    message_id: uuid.UUID
    subject: str
    type: str
    body: str


class OutboxSession:
    """Raises psycopg2.Error when the session is lost, OutcomeUnknown when a COMMIT may not have been replicated."""

    def __init__(self, nodes: Nodes, seconds: float) -> None:
        self._seconds = seconds
        with deadlines.within(seconds):
            self._connection = nodes.connect()
        self._connection.autocommit = True
        self.idle = False

    @classmethod
    def open(cls, settings: BrokerSettings) -> "OutboxSession":
        """Connect to the primary."""
        deadlines.install()
        secret = settings.database_password
        nodes = Nodes(settings.database_dsn, secret.get_secret_value() if secret else None, SESSION)
        return cls(nodes, settings.commit_wait_seconds)

    def close(self) -> None:
        """End the session, and with it the lead."""
        self._connection.close()

    def lead(self) -> bool:
        """Try to become the active relay."""
        (leads,) = self._rows("select pg_try_advisory_lock(%s)", [LEAD_LOCK])[0]
        if leads:
            self._rows(f"listen {CHANNEL}")
        return bool(leads)

    def oldest_seconds(self) -> float:
        """Age of the oldest row; 0 without rows."""
        rows = self._rows(
            "select extract(epoch from clock_timestamp() - created_at)::float8 from outbox order by id limit 1"
        )
        return max(0.0, rows[0][0]) if rows else 0.0

    def exchange(
        self, sent: Collection[int], known: Iterable[int], held: Collection[str], limit: int
    ) -> list[Row]:
        """Take out what was sent and get the next rows, none of `known` and nothing that `held` types hold back."""
        condition = _NOT_HELD if held else ""
        ids = {"sent": list(sent), "known": [*known, *sent]}
        return self._exchange(condition, **ids, held=list(held), limit=limit)

    def probe(self, event_type: str, known: Iterable[int]) -> Row | None:
        """The first row of a type that no earlier one holds back."""
        rows = self._exchange(_PROBE, sent=[], known=list(known), type=event_type, limit=1)
        return rows[0] if rows else None

    def _exchange(self, condition: str, **parameters: Any) -> list[Row]:
        rows = self._rows(_EXCHANGE.format(condition=condition), parameters)
        return [Row(*row) for row in rows]

    def sleep(self) -> bool:
        """Announce that the relay is about to wait; False if somebody is writing an event, so it must not."""
        if not self.idle:
            (self.idle,) = self._rows("select pg_try_advisory_lock(%s)", [IDLE_LOCK])[0]
        return self.idle

    def wake(self) -> None:
        """Take that back: writers need no longer notify."""
        if self.idle:
            self._rows("select pg_advisory_unlock(%s)", [IDLE_LOCK])
            self.idle = False

    def wait(self, seconds: float, stop: Stop) -> None:
        """Wait for a notification."""
        stop.wait(seconds, self._connection.fileno())
        self._connection.poll()
        self._connection.notifies.clear()

    def _rows(self, statement: str, parameters: Any = None) -> list[Any]:
        with deadlines.within(self._seconds), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
        if self._connection.notices:
            raise OutcomeUnknown(" ".join("".join(self._connection.notices).split()))
        return rows
