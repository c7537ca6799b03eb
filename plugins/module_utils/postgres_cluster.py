# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What the pg_auto_failover monitor knows about the nodes, and what follows from it. No connection is made here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FORMATION = "default"
PRIORITY = 50
LEADING = ("primary", "wait_primary", "single", "apply_settings", "join_primary")

NODES_SQL = """
select nodeid, nodename, nodehost, nodeport, reportedstate::text, goalstate::text, health, candidatepriority,
       replicationquorum, extract(epoch from now() - reporttime)::float8
from pgautofailover.node where formationid = 'default' order by nodeid"""


@dataclass(frozen=True)
class Node:
    """One row of ``pgautofailover.node``; `age` is the seconds since the keeper's last report."""

    id: int
    name: str
    host: str
    port: int
    reported: str
    goal: str
    health: int
    priority: int
    quorum: bool
    age: float

    @property
    def leads(self) -> bool:
        """Whether it is, and is meant to be, the node that takes writes."""
        return self.goal in LEADING and self.reported in LEADING

    @property
    def at_rest(self) -> bool:
        """Whether it has reached the state that the monitor assigned to it."""
        return self.reported == self.goal

    def describe(self) -> str:
        """State in a few words, for messages."""
        state = self.reported if self.at_rest else f"{self.reported}>{self.goal}"
        return f"{self.name} is {state}, health {self.health}, priority {self.priority}, quorum {self.quorum}"


def nodes_from(rows: Iterable[Iterable[Any]]) -> list[Node]:
    """Nodes from the rows of NODES_SQL."""
    return [Node(*row) for row in rows]


def leader(nodes: Iterable[Node]) -> Node | None:
    """The only node that leads, or None when there is none or more than one."""
    leading = [node for node in nodes if node.leads]
    return leading[0] if len(leading) == 1 else None


def degraded(nodes: Collection[Node]) -> Node | None:
    """The standby that the stall guard made unpromotable because it doesn't get the primary's writes, if any."""
    for node in nodes:
        if not node.leads and node.priority == 0 and leader(nodes) is not None:
            return node
    return None


def problems(nodes: Collection[Node], expected: Collection[str], absent: Collection[str] = ()) -> list[str]:
    """Why the cluster is not at rest with one primary and one standby in sync; empty when it is.

    `expected` are the names of the configured nodes, `absent` those known to be dead or unreachable: of them nothing
    is required, and without a standby it is enough that one node leads.
    """
    known = {node.name for node in nodes}
    found = [f"{name} is not registered" for name in sorted(set(expected) - known - set(absent))]
    found += [f"{name} is registered but not configured" for name in sorted(known - set(expected))]
    present = [node for node in nodes if node.name not in absent]
    found += [node.describe() for node in present if not (node.at_rest and node.health == 1)]
    found += [
        node.describe()
        for node in present
        if node.at_rest and node.health == 1 and not (node.priority == PRIORITY and node.quorum)
    ]
    states = sorted(node.reported for node in present)
    if absent:
        if leader(present) is None:
            found.append("no node takes writes")
    elif len(expected) == 1 and states == ["single"]:
        pass
    elif states != ["primary", "secondary"]:
        found.append(f"the states are {', '.join(states) or 'none'} instead of primary, secondary")
    return found


def may_replace(nodes: Collection[Node], address: str, port: int) -> str | None:
    """Why a registration of address:port, whose data is gone, must not be dropped; None when it may be.

    Only a standby may be replaced: while the other node leads, it has every acknowledged write.
    """
    others = [node for node in nodes if (node.host, node.port) != (address, port)]
    chief = leader(others)
    if chief is None:
        states = "; ".join(node.describe() for node in nodes)
        return f"no other node leads ({states})"
    if chief.health != 1:
        return f"the other node is not healthy ({chief.describe()})"
    return None


def switchover_refusals(
    nodes: Collection[Node], streaming: int | None, expected: Collection[str]
) -> list[str]:
    """Why a switchover would be an outage or a loss now; empty when it may be done.

    `streaming` is the number of pg_auto_failover standbys that stream from the primary, None when it can't be read.
    Source: the monitor itself accepts a switchover to a node that is not healthy.
    """
    found = problems(nodes, expected)
    if streaming is None:
        found.append("the primary can't be asked for its standby")
    elif streaming != 1:
        found.append(f"{streaming} standbys stream from the primary instead of 1")
    return found


def summary(nodes: Iterable[Node]) -> Mapping[str, str]:
    """Reported state by node name, for results."""
    return {node.name: node.reported for node in nodes}
