"""What databases say: the failover monitor on its own host, and the services' databases over TLS."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import psycopg2
from prometheus_client.core import GaugeMetricFamily, Metric

from .host import shown

SESSION = "-c statement_timeout=3000 -c lock_timeout=1000 -c default_transaction_read_only=on"
KEEP_SECONDS = 600.0
"""A connection is made anew now and then, so that it finds the node that leads."""
GUARD_UNIT = "tandem-stall-guard.service"

NODES = "select node, reported, assigned, healthy, quorum from tandem.cluster_state()"
MARKER = "select * from tandem.guard_marker_seconds()"
OUTBOX = "select entries, oldest_seconds from tandem.outbox_state()"
LEASES = """
select job, host, extract(epoch from expires_at - clock_timestamp())::float8
  from tandem.timer_runs where finished_at is null and outcome is null and expires_at > clock_timestamp()"""

Rows = list[tuple[Any, ...]]


class Connection:
    """A connection that is kept between runs, and made anew after any error."""

    def __init__(self, dsn: str, connect: Callable[..., Any] = psycopg2.connect) -> None:
        self._dsn = dsn
        self._connect = connect
        self._open: Any = None
        self._since = 0.0

    def ask(self, *statements: str) -> list[Rows]:
        """Return the rows of each statement. Raises psycopg2.Error."""
        try:
            cursor = self._session().cursor()
            answers: list[Rows] = []
            for statement in statements:
                cursor.execute(statement)
                answers.append(cursor.fetchall())
        except BaseException:
            self.close()
            raise
        return answers

    def close(self) -> None:
        """Leave the server; the next question comes back."""
        known, self._open = self._open, None
        if known is not None:
            with contextlib.suppress(psycopg2.Error):
                known.close()

    def _session(self) -> Any:
        if self._open is not None and time.monotonic() - self._since > KEEP_SECONDS:
            self.close()
        if self._open is None:
            self._open = self._connect(self._dsn, options=SESSION, application_name="platform_exporter")
            self._open.autocommit = True
            self._since = time.monotonic()
        return self._open


# --- the monitor -----------------------------------------------------------------------------------------------------


def monitor(connection: Connection) -> Iterator[Metric]:
    """Return the nodes as the monitor knows them; without an answer only that there was none."""
    reachable = GaugeMetricFamily("tandem_postgres_monitor_reachable", "1 if the failover monitor answers")
    try:
        (nodes,) = connection.ask(NODES)
    except psycopg2.Error:
        reachable.add_metric([], 0)
        yield reachable
        return
    reachable.add_metric([], 1)
    yield reachable
    yield from node_families(nodes)


def node_families(rows: Sequence[tuple[Any, ...]]) -> Iterable[Metric]:
    """Return the metrics of rows of NODES."""
    state = GaugeMetricFamily(
        "tandem_postgres_node_state", "States of a node", labels=["node", "reported", "assigned"]
    )
    mismatch = GaugeMetricFamily(
        "tandem_postgres_node_state_mismatch",
        "1 if the node is not in the state assigned to it",
        labels=["node"],
    )
    health = GaugeMetricFamily(
        "tandem_postgres_node_health", "1 healthy, 0 not, -1 not known", labels=["node"]
    )
    standbys = GaugeMetricFamily(
        "tandem_postgres_sync_standbys", "Standbys in order for which the primary's commits wait"
    )
    for node, reported, assigned, healthy, _ in rows:
        state.add_metric([node, reported, assigned], 1)
        mismatch.add_metric([node], reported != assigned)
        health.add_metric([node], healthy)
    waited_for = [row for row in rows if row[1] == row[2] == "secondary" and row[3] == 1 and row[4]]
    standbys.add_metric([], len(waited_for))
    return [state, mismatch, health, standbys]


def stall_guard(connection: Connection) -> Iterator[Metric]:
    """Return whether the guard runs, and whether one copy of the data is all there is."""
    active = GaugeMetricFamily("tandem_stall_guard_active", "1 if the stall guard's unit is active")
    unit = shown([GUARD_UNIT])[GUARD_UNIT]
    active.add_metric([], unit["ActiveState"] == "active")
    yield active
    (rows,) = connection.ask(MARKER)
    marker = GaugeMetricFamily(
        "tandem_stall_guard_marker", "1 while the primary goes on without its standby, which must not lead"
    )
    stalled = GaugeMetricFamily(
        "tandem_stall_guard_stalled_seconds", "For how long the marker has been there"
    )
    marker.add_metric([], bool(rows))
    stalled.add_metric([], rows[0][0] if rows else 0.0)
    yield marker
    yield stalled


# --- the services' databases -----------------------------------------------------------------------------------------


def databases(connections: dict[str, Connection]) -> Iterator[Metric]:
    """Return outboxes and leases; `connections` by service.

    Raises psycopg2.Error if one of them does not answer.
    """
    oldest = GaugeMetricFamily(
        "tandem_outbox_oldest_seconds", "Age of the oldest event that is not sent", labels=["service"]
    )
    count = GaugeMetricFamily("tandem_outbox_rows", "Events that are not sent", labels=["service"])
    holder = GaugeMetricFamily(
        "tandem_lease_holder_info", "Who holds a timer's lease", labels=["timer", "host"]
    )
    expires = GaugeMetricFamily(
        "tandem_lease_expires_seconds", "In how many seconds the lease ends", labels=["timer"]
    )
    failed: psycopg2.Error | None = None
    for service, connection in connections.items():
        try:
            outbox, leases = connection.ask(OUTBOX, LEASES)
        except psycopg2.Error as error:
            failed = error
            continue
        for rows, age in outbox:
            oldest.add_metric([service], age)
            count.add_metric([service], rows)
        for job, host, left in leases:
            holder.add_metric([job, host], 1)
            expires.add_metric([job], left)
    if failed is not None:
        raise failed
    yield from (oldest, count, holder, expires)
