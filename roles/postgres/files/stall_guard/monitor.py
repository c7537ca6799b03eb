"""The monitor's database: one consistent reading, and one transaction per decision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import psycopg2

from .database import LimitedConnection, connect, first_line, position
from .decisions import (
    Decision,
    MoveMarker,
    Outcome,
    PlaceMarker,
    RemoveMarker,
    RequestFailover,
    Result,
    SetPriority,
    SetQuorum,
    Step,
)
from .observations import Marker, MonitorView, Node, Phase

SCHEMA = """
create schema if not exists stall_guard;
create table if not exists stall_guard.degraded (
  formation text primary key,
  standby text not null,
  primary_node text not null,
  phase text not null check (phase in ('degraded', 'resync')),
  priority int not null,
  since timestamptz not null default clock_timestamp());
create table if not exists stall_guard.log (
  at timestamptz not null default clock_timestamp(),
  formation text not null,
  kind text not null,
  standby text not null,
  primary_node text not null,
  event text not null);
delete from stall_guard.log where at < now() - interval '400 days'"""

NODES = """
select nodeid, nodename, nodehost, nodeport, groupid, reportedstate::text, goalstate::text, health,
       candidatepriority, replicationquorum,
       extract(epoch from clock_timestamp() - reporttime)::float8,
       extract(epoch from clock_timestamp() - walreporttime)::float8,
       reportedlsn::text, statechangetime::text
  from pgautofailover.node where formationid = %s order by nodeid"""

SYNC_STANDBYS = "select number_sync_standbys from pgautofailover.formation where formationid = %s"
MARKER = "select standby, primary_node, phase, priority from stall_guard.degraded where formation = %s"
LAST_FAILOVER = """
select extract(epoch from clock_timestamp() - max(at))::float8
  from stall_guard.log where formation = %s and kind = 'failover'"""

LOG = """
insert into stall_guard.log (formation, kind, standby, primary_node, event) values (%s, %s, %s, %s, %s)"""


class MonitorLike(Protocol):
    """What the runner needs of the monitor."""

    def read(self) -> MonitorView:
        """Return a reading; raises psycopg2.Error."""

    def apply(self, decision: Decision, doubt: Callable[[MonitorView], str | None]) -> Outcome:
        """Carry out a decision, all of it or nothing."""

    def close(self) -> None:
        """Drop the connection; the next call opens a new one."""


class _MonitorConnection(LimitedConnection):
    limit = 4.0


# The monitor decides by what it read of a node before it got the group's lock, so a report that had begun before a
# decision would overrule it afterwards: a primary that is to hand over would be told to go on alone. This waits for
# reports that have begun and keeps others from beginning.
NOBODY_REPORTS = "lock table pgautofailover.node in access exclusive mode"

# The limits on the server end a transaction that waits for a lock, and one whose guard was stopped half-way:
# it holds the group's lock, without which no keeper can report.
_SESSION = {
    "statement_timeout": "3000",
    "lock_timeout": "1000",
    "idle_in_transaction_session_timeout": "2000",
    "client_min_messages": "warning",
}


class Monitor:
    """The monitor, reached anew whenever the connection broke."""

    def __init__(self, dsn: str, formation: str) -> None:
        self._dsn = dsn
        self._formation = formation
        self._connection: LimitedConnection | None = None

    def read(self) -> MonitorView:
        """Return the nodes, the marker and the last failover as of one instant; raises psycopg2.Error."""
        with self._open().cursor() as cursor:
            cursor.execute("begin isolation level repeatable read, read only")
            view = self._view(cursor)
            cursor.execute("commit")
        return view

    def apply(self, decision: Decision, doubt: Callable[[MonitorView], str | None]) -> Outcome:
        """Run a decision's steps, look again, and commit, or roll everything back.

        `doubt` is called with what the transaction sees after the steps; a sentence from it means: roll back.
        """
        try:
            cursor = self._open().cursor()
            cursor.execute("begin")
            cursor.execute(NOBODY_REPORTS)
            for step in decision.steps:
                self._run(cursor, step)
            reason = doubt(self._view(cursor))
            if reason is not None:
                cursor.execute("rollback")
                return Outcome(Result.REFUSED, reason)
            cursor.execute(
                LOG, (self._formation, decision.kind, decision.standby, decision.primary, decision.event)
            )
        except psycopg2.Error as error:
            self.close()  # COMMIT was never sent, so the server rolls back
            return Outcome(Result.REFUSED, first_line(error))
        try:
            cursor.execute("commit")
        except psycopg2.Error as error:
            self.close()
            return Outcome(Result.UNKNOWN, first_line(error))
        return Outcome(Result.DONE)

    def close(self) -> None:
        """Drop the connection; the next call opens a new one."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> LimitedConnection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._dsn, _MonitorConnection, _SESSION)
            with connection.cursor() as cursor:
                cursor.execute(SCHEMA)
            self._connection = connection
        return self._connection

    def _view(self, cursor: Any) -> MonitorView:
        cursor.execute(NODES, (self._formation,))
        nodes = tuple(_node(row) for row in cursor.fetchall())
        cursor.execute(SYNC_STANDBYS, (self._formation,))
        formation = cursor.fetchone()
        cursor.execute(MARKER, (self._formation,))
        row = cursor.fetchone()
        marker = Marker(row[0], row[1], Phase(row[2]), row[3]) if row else None
        cursor.execute(LAST_FAILOVER, (self._formation,))
        last = cursor.fetchone()
        return MonitorView(nodes, formation[0] if formation else None, marker, last[0] if last else None)

    def _run(self, cursor: Any, step: Step) -> None:
        """Run one step; raises psycopg2.Error, also when a marker is not as it was read."""
        statement, values = _sql(step, self._formation)
        cursor.execute(statement, values)
        if isinstance(step, MoveMarker | RemoveMarker) and cursor.rowcount != 1:
            raise psycopg2.IntegrityError("the marker was changed meanwhile")


def _node(row: tuple[Any, ...]) -> Node:
    values = (*row[:12], position(row[12]), row[13])
    return Node(*values)


def _sql(step: Step, formation: str) -> tuple[str, tuple[object, ...]]:
    match step:
        case SetPriority(node, priority):
            statement = "select pgautofailover.set_node_candidate_priority(%s, %s, %s)"
            return statement, (formation, node, priority)
        case SetQuorum(node, quorum):
            statement = "select pgautofailover.set_node_replication_quorum(%s, %s, %s)"
            return statement, (formation, node, quorum)
        case RequestFailover(group):
            return "select pgautofailover.perform_failover(%s, %s)", (formation, group)
        case PlaceMarker(standby, primary, priority, phase):
            statement = (
                "insert into stall_guard.degraded (formation, standby, primary_node, phase, priority)"
                " values (%s, %s, %s, %s, %s)"
            )
            return statement, (formation, standby, primary, phase, priority)
        case MoveMarker(standby, before, after):
            statement = (
                "update stall_guard.degraded set phase = %s"
                " where formation = %s and standby = %s and phase = %s"
            )
            return statement, (after, formation, standby, before)
        case RemoveMarker(standby, before):
            statement = (
                "delete from stall_guard.degraded where formation = %s and standby = %s and phase = %s"
            )
            return statement, (formation, standby, before)
