"""What the guard can do: named decisions, each a list of steps that run in one transaction on the monitor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .observations import Phase


class Kind(StrEnum):
    """The name of a decision, as it stands in the log."""

    DEGRADE = "degraded"
    RESYNC = "resync"
    DEGRADE_AGAIN = "degraded_again"
    CLOSE = "closed"
    """Someone made the standby a candidate although it lacks writes and the primary lives: it is none again."""
    NORMAL = "normal"
    PROMOTED = "promoted"
    """A human promoted the standby that was set aside: its settings are given back."""
    GONE = "gone"
    """The standby that was set aside is no longer registered: only its marker is removed."""
    FAILOVER = "failover"


@dataclass(frozen=True, slots=True)
class SetPriority:
    """Set a node's candidate priority; 0 means that the monitor never promotes it."""

    node: str
    priority: int


@dataclass(frozen=True, slots=True)
class SetQuorum:
    """Set whether commits wait for a node."""

    node: str
    quorum: bool


@dataclass(frozen=True, slots=True)
class PlaceMarker:
    """Write the marker; fails when there is one already. `priority` is what to give back later."""

    standby: str
    primary: str
    priority: int
    phase: Phase = Phase.DEGRADED


@dataclass(frozen=True, slots=True)
class MoveMarker:
    """Change the marker's phase; fails when it is not in the phase `before`."""

    standby: str
    before: Phase
    after: Phase


@dataclass(frozen=True, slots=True)
class RemoveMarker:
    """Remove the marker; fails when it is not in the phase `before`."""

    standby: str
    before: Phase


@dataclass(frozen=True, slots=True)
class RequestFailover:
    """Ask the monitor to drain the primary and promote the standby."""

    group: int


Step = SetPriority | SetQuorum | PlaceMarker | MoveMarker | RemoveMarker | RequestFailover


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing to do, all of it or nothing."""

    kind: Kind
    primary: str
    standby: str
    event: str
    """The sentence for the log."""
    steps: tuple[Step, ...]
    unchanged: str = ""
    """The standby's last change of state, when the decision rests on there having been none since."""


class Result(StrEnum):
    """How a decision's transaction ended."""

    DONE = "done"
    REFUSED = "refused"
    """Rolled back for certain."""
    UNKNOWN = "unknown"
    """The connection broke during COMMIT: the next tick's reading tells."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a decision's transaction, with the reason unless it was done."""

    result: Result
    reason: str = ""
