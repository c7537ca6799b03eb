"""The primary's database: one question per tick, and no wait without an end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

import psycopg2

from .database import LimitedConnection, NoAnswer, connect, first_line, position
from .observations import Answer, Node, Reading, Refused, Unanswered

QUESTION = """
with standby as (
  select flush_lsn, sync_state from pg_stat_replication
   where application_name = %s and state = 'streaming')
select pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
       pg_is_in_recovery(),
       current_setting('transaction_read_only') = 'on',
       current_setting('synchronous_standby_names') <> '',
       (select count(*) > 0 from standby),
       (select count(*) > 0 from standby where sync_state in ('sync', 'quorum')),
       (case when pg_is_in_recovery() then '0/0' else pg_current_wal_flush_lsn() end)::text,
       coalesce((select max(flush_lsn) from standby), '0/0')::text"""

NOT_PERMITTED = "the guard's role cannot see pg_stat_replication: grant pg_monitor to it"


class PrimaryLike(Protocol):
    """What the runner needs of the primary."""

    def ask(self, primary: Node, standby: Node) -> Answer:
        """Return what `primary` says about itself and `standby`; never raises for a database's fault."""

    def close(self) -> None:
        """Drop the connection."""


class _NodeConnection(LimitedConnection):
    limit = 2.5


_SESSION = {"statement_timeout": "2000", "client_min_messages": "warning"}


class Primary:
    """Whichever node leads, over one connection that is kept while it does."""

    def __init__(self, dsn: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._dsn = dsn
        self._clock = clock
        self._connection: LimitedConnection | None = None
        self._address: tuple[str, int] | None = None

    def ask(self, primary: Node, standby: Node) -> Answer:
        """Return a reading, or whether there was no answer at all or one that says no."""
        asked = self._clock()
        try:
            with self._open(primary).cursor() as cursor:
                cursor.execute(QUESTION, (f"pgautofailover_standby_{standby.id}",))
                row = cursor.fetchone()
        except NoAnswer:
            self.close()
            return Unanswered(asked)
        except psycopg2.Error as error:
            self.close()
            return Refused(first_line(error))
        if row is None or not row[0]:
            # Without the right the list of standbys is empty, which looks exactly like a stall.
            return Refused(NOT_PERMITTED)
        recovery, read_only, sync_on, streaming, synchronous, written, flushed = row[1:]
        return Reading(
            recovery, read_only, sync_on, streaming, synchronous, position(written), position(flushed)
        )

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None
        self._address = None

    def _open(self, node: Node) -> LimitedConnection:
        address = (node.host, node.port)
        if self._connection is None or self._connection.closed or self._address != address:
            self.close()
            self._connection = connect(self._dsn, _NodeConnection, _SESSION, host=node.host, port=node.port)
            self._address = address
        return self._connection
