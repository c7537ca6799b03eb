# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a human must know and prove before promoting a standby that the stall guard took out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

# A keeper reports every second; one that is silent for so long, at a host that fails the health check, is gone.
GONE_S = 10
PRESENT_S = 5
LEADING = ("wait_primary", "primary", "single")

MARKER_SQL = """
select standby, primary_node, priority, to_char(since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
       extract(epoch from clock_timestamp() - since)::float8
from stall_guard.degraded where formation = 'default'"""
EXISTS_SQL = "select to_regclass('stall_guard.degraded') is not null"
NODE_SQL = """
select nodename, nodehost, reportedstate::text, health, extract(epoch from clock_timestamp() - reporttime)::float8,
       reportedlsn::text, (reportedlsn - '0/0')::bigint
from pgautofailover.node where formationid = 'default' and nodename = %s"""
# Not by set_node_candidate_priority: where the primary last reported wait_primary, that function moves it to
# apply_settings, from where 2.2 never fails over.
PROMOTE_SQL = (
    "update pgautofailover.node set candidatepriority = %s where formationid = 'default' and nodename = %s"
)
# 2.2 promotes nobody that is further behind than this many bytes; its own limit is 16 MiB.
ANY_LAG_SQL = "alter system set pgautofailover.promote_wal_log_threshold = 2147483647"
USUAL_LAG_SQL = "alter system reset pgautofailover.promote_wal_log_threshold"
RELOAD_SQL = "select pg_reload_conf()"


@dataclass(frozen=True)
class Peer:
    """One node: `age` is the seconds since its last report, `lsn` and `position` are its WAL position in it."""

    name: str
    address: str
    reported: str
    health: int
    age: float
    lsn: str
    position: int


@dataclass(frozen=True)
class Case:
    """The guard's marker with both nodes: since when the primary has been committing alone."""

    standby: Peer
    primary: Peer
    priority: int
    since: str
    seconds: float


class NoCase(Exception):
    """There is nothing for a human to decide; the message says why."""


def read(ask: Ask) -> Case:
    """The case to decide; raises NoCase when there is none."""
    if not ask(EXISTS_SQL, ())[0][0]:
        raise NoCase("the stall guard has never run here, so no standby was taken out.")
    rows = ask(MARKER_SQL, ())
    if not rows:
        raise NoCase(
            "no standby is taken out. A healthy standby is promoted by the monitor alone when the primary is lost; "
            "to move the primary on purpose use the playbook postgres_switchover."
        )
    standby, primary, priority, since, seconds = rows[0]
    peers = [[Peer(*row) for row in ask(NODE_SQL, (name,))] for name in (standby, primary)]
    if not all(peers):
        raise NoCase(f"the monitor does not know both {standby} and {primary}.")
    return Case(peers[0][0], peers[1][0], int(priority), since, float(seconds))


def size(count: int) -> str:
    """Bytes for humans."""
    value, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" else f"{value:.1f} {units[0]}"


def loss(case: Case) -> str:
    """What a promotion loses."""
    behind = max(0, case.primary.position - case.standby.position)
    return (
        f"Every write that was acknowledged after {case.since} is lost: {case.primary.name} has gone on alone since "
        f"then ({case.seconds:.0f} s ago). As far as {case.primary.name} reported ({case.primary.age:.0f} s ago, at "
        f"{case.primary.lsn}), {case.standby.name} at {case.standby.lsn} lacks at least {size(behind)} of WAL."
    )


def plan(case: Case) -> str:
    """What to do, for the human."""
    return (
        f"{loss(case)} Take the power off the host of {case.primary.name} ({case.primary.address}), and off its whole "
        f"site if in doubt, and make sure that it stays off: it may still take writes there. Then run this playbook "
        f"again with -e confirm={case.standby.name}. If {case.primary.name} can be brought back instead, nothing is "
        f"lost: bring it back."
    )


def refusal(case: Case, confirm: str) -> str | None:
    """Why this promotion must not be done; None when it may be."""
    if confirm != case.standby.name:
        return f"{confirm} was confirmed, but {case.standby.name} is the standby that was taken out."
    if case.primary.health == 1 or case.primary.age < GONE_S:
        return (
            f"{case.primary.name} is not gone (health {case.primary.health}, reported {case.primary.age:.0f} s ago): "
            f"it takes writes, and {case.standby.name} catches up by itself when the link is back."
        )
    if case.standby.health != 1 or case.standby.age > PRESENT_S:
        return f"{case.standby.name} does not answer the monitor (last report {case.standby.age:.0f} s ago)."
    return None


def promote(ask: Ask, case: Case, wait: Callable[[Callable[[], bool | None]], bool | None]) -> bool:
    """Make the standby a candidate, however far it is behind, and wait; True when it takes writes.

    `wait` calls its argument until that returns True or the time is over.
    """
    ask(ANY_LAG_SQL, ())
    try:
        ask(RELOAD_SQL, ())
        ask(PROMOTE_SQL, (case.priority, case.standby.name))
        return bool(wait(lambda: leads(ask, case.standby.name) or None))
    finally:
        ask(USUAL_LAG_SQL, ())
        ask(RELOAD_SQL, ())


def leads(ask: Ask, name: str) -> bool:
    """Whether a node takes writes now."""
    rows = ask(NODE_SQL, (name,))
    return bool(rows) and rows[0][2] in LEADING
