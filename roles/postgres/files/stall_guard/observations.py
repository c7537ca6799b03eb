"""What the guard has read: the monitor's rows, its own marker, and the primary's answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HEALTH_BAD = 0
HEALTH_GOOD = 1


class Phase(StrEnum):
    """How far a degraded pair is from being normal again."""

    DEGRADED = "degraded"
    """The standby is neither promotable nor waited for."""
    RESYNC = "resync"
    """Commits wait for the standby again, but it is not promotable yet."""


@dataclass(frozen=True, slots=True)
class Node:
    """One row of ``pgautofailover.node``; times in seconds, WAL positions in bytes."""

    id: int
    name: str
    host: str
    port: int
    group: int
    reported: str
    assigned: str
    health: int
    """1 good, 0 bad, -1 not checked yet."""
    priority: int
    quorum: bool
    age: float
    """Since its keeper last reported."""
    wal_age: float
    """Since its keeper last reported a WAL position, which it has to ask its own Postgres for."""
    position: int
    """The last WAL position that its keeper reported."""
    changed: str
    """When its reported or assigned state last changed, by the monitor's clock; only ever compared for equality."""

    def is_(self, state: str) -> bool:
        """Whether the node has reached `state` and is meant to stay in it."""
        return self.reported == self.assigned == state

    def leads(self) -> bool:
        """Whether it is the primary and not on its way out; it may be applying settings just now."""
        return self.assigned in ("primary", "apply_settings") and self.reported in (
            "primary",
            "apply_settings",
            "wait_primary",
        )


@dataclass(frozen=True, slots=True)
class Marker:
    """The row that says: this standby was set aside by the guard, and this is what to give back."""

    standby: str
    primary: str
    phase: Phase
    priority: int


@dataclass(frozen=True, slots=True)
class MonitorView:
    """One consistent reading of the monitor."""

    nodes: tuple[Node, ...]
    sync_standbys: int | None
    """``number_sync_standbys`` of the formation; None when the formation does not exist."""
    marker: Marker | None
    failover_age: float | None = None
    """Seconds since the guard last requested a failover; None when it never did."""

    def node(self, name: str) -> Node | None:
        """Return the node called `name`, if it is registered."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the primary answered about itself and its standby; WAL positions in bytes."""

    in_recovery: bool
    read_only: bool
    sync_on: bool
    """``synchronous_standby_names`` is set: commits wait."""
    streaming: bool
    """The standby has a row in ``pg_stat_replication`` and streams."""
    synchronous: bool
    """That row is the one commits wait for."""
    position: int
    """How far the primary's own WAL is flushed: every acknowledged write lies before it."""
    flushed: int
    """How far the standby has flushed; 0 when it does not stream."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The primary gave no answer of any kind within the limit; `asked` is when it was asked."""

    asked: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The primary, or its host, answered with an error: it cannot be read, but it is not hung."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotAsked:
    """There was no primary to ask."""


Answer = Reading | Unanswered | Refused | NotAsked


def remark(view: MonitorView) -> str | None:
    """Return what an operator should know about the group although the guard does nothing about it."""
    if view.sync_standbys is None:
        return "the formation does not exist"
    if len(view.nodes) != 2 or view.sync_standbys != 0:
        return (
            f"{len(view.nodes)} nodes and number_sync_standbys {view.sync_standbys}: the guard helps only "
            "two nodes with 0"
        )
    aside = [node.name for node in view.nodes if node.priority == 0 or not node.quorum]
    if view.marker is None and aside:
        return (
            f"no marker, but {' and '.join(aside)} has priority 0 or is not in the quorum: no failover to it"
        )
    return None


def describe(view: MonitorView, answer: Answer) -> str:
    """Return the state of the group as one short sentence, for ``systemctl status``."""
    if view.marker is not None:
        return f"DEGRADED ({view.marker.phase}): {view.marker.standby} is set aside, the platform runs on one copy"
    pair = leading_pair(view)
    if pair is None:
        return "watching: no pair of a primary and its standby"
    primary, standby = pair
    if not isinstance(answer, Reading):
        return f"watching: {primary.name} cannot be read"
    return (
        f"watching: {standby.name} {'streams' if answer.streaming else 'does not stream'} from {primary.name}"
    )


def leading_pair(view: MonitorView) -> tuple[Node, Node] | None:
    """Return (primary, standby), or None when the group is not one the guard knows how to help.

    None means: not exactly two nodes, more than the one standby in the quorum, a failover under way, or
    ``wait_primary``, where the monitor has already let the primary go on alone.
    """
    if len(view.nodes) != 2 or view.sync_standbys != 0:
        return None
    first, second = view.nodes
    if first.group != second.group or first.leads() == second.leads():
        return None
    return (first, second) if first.leads() else (second, first)


def pair_to_watch(view: MonitorView) -> tuple[Node, Node] | None:
    """Return the leading pair, or a standby that was set aside and is now, promoted by a human, alone.

    It is alone while the other node is dead or rejoining, and that is the best moment to end its marker.
    """
    pair = leading_pair(view)
    marked = view.node(view.marker.standby) if view.marker else None
    if pair is not None or marked is None or len(view.nodes) != 2 or not marked.is_("wait_primary"):
        return pair
    other = next(node for node in view.nodes if node is not marked)
    return None if other.leads() else (marked, other)
