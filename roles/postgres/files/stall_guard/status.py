"""The answer to "how is it?", for operators, playbooks and tests; reads the monitor and changes nothing."""

from __future__ import annotations

from typing import Any

from .database import LimitedConnection, connect, position
from .monitor import NODES

_EXISTS = """
select to_regclass('stall_guard.degraded') is not null and to_regclass('stall_guard.log') is not null"""
_MARKER = """
select standby, primary_node, phase, priority, since,
       extract(epoch from clock_timestamp() - since)::float8
  from stall_guard.degraded where formation = %s"""
_EVENTS = """
select at, kind, standby, primary_node, event
  from stall_guard.log where formation = %s order by at desc limit %s"""


def status(dsn: str, formation: str, events: int = 20) -> dict[str, Any]:
    """Return the marker (or None), the nodes and the last events, newest first; raises psycopg2.Error.

    The marker's ``behind_bytes`` is what the standby lacked of the primary's WAL when each last reported: an
    estimate of what its promotion would lose.
    """
    connection = connect(dsn, LimitedConnection, {"statement_timeout": "3000"})
    try:
        with connection.cursor() as cursor:
            cursor.execute("begin isolation level repeatable read, read only")
            cursor.execute(NODES, (formation,))
            nodes = [_node(row) for row in cursor.fetchall()]
            cursor.execute(_EXISTS)
            known = cursor.fetchone()
            marker, log = None, []
            if known and known[0]:
                cursor.execute(_MARKER, (formation,))
                marker = _marker(cursor.fetchone(), nodes)
                cursor.execute(_EVENTS, (formation, events))
                log = [_event(row) for row in cursor.fetchall()]
            cursor.execute("commit")
    finally:
        connection.close()
    answer = {"formation": formation, "degraded": marker is not None, "marker": marker}
    return answer | {"nodes": nodes, "events": log}


def _node(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("name", "reported", "assigned", "health", "priority", "quorum")
    node = dict(zip(names, (row[1], *row[5:10]), strict=True))
    return node | {"report_age_seconds": round(row[10], 1), "position": row[12]}


def _marker(row: tuple[Any, ...] | None, nodes: list[dict[str, Any]]) -> dict[str, Any] | None:
    if row is None:
        return None
    positions = {node["name"]: position(node["position"]) for node in nodes}
    both = row[0] in positions and row[1] in positions
    return {
        "standby": row[0],
        "primary": row[1],
        "phase": row[2],
        "priority": row[3],
        "since": row[4].isoformat(),
        "seconds": round(row[5], 1),
        "behind_bytes": max(0, positions[row[1]] - positions[row[0]]) if both else None,
    }


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    return {"at": row[0].isoformat(), "kind": row[1], "standby": row[2], "primary": row[3], "event": row[4]}
