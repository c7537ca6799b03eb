"""The second look: what must hold inside the transaction, after its steps, for it to be committed.

The monitor's functions that set priority and quorum, and the one that fails over, take the group's lock
first. So the rows read after them cannot change their assigned states until the commit, and a decision that
rests on an older reading is found out here.
"""

from __future__ import annotations

from .decisions import Decision, Kind, SetPriority, SetQuorum
from .hung import objection
from .memory import Limits
from .observations import MonitorView, Node


def doubt(limits: Limits, decision: Decision, view: MonitorView) -> str | None:
    """Return why `decision` must be rolled back, or None.

    Its steps have run, and `view` was read after them in the same transaction.
    """
    if decision.kind is Kind.GONE:
        return None
    primary, standby = view.node(decision.primary), view.node(decision.standby)
    if len(view.nodes) != 2 or primary is None or standby is None:
        return "the nodes of the group have changed"
    if decision.kind is Kind.FAILOVER:
        return _doubt_failover(limits, view, primary, standby)
    if decision.unchanged not in ("", standby.changed):
        return f"{standby.name} has been in another state meanwhile"
    return _doubt_values(decision, view) or _doubt_states(decision.kind, primary, standby)


def _doubt_failover(limits: Limits, view: MonitorView, primary: Node, standby: Node) -> str | None:
    if primary.assigned != "draining" or standby.assigned != "prepare_promotion":
        return "the monitor has not started the failover"
    return objection(limits, view, (primary, standby))


def _doubt_values(decision: Decision, view: MonitorView) -> str | None:
    """Check that the settings are those that were meant: the monitor's functions write both, one of them as read."""
    for step in decision.steps:
        if isinstance(step, SetPriority | SetQuorum):
            node = view.node(step.node)
            found = node and (node.priority if isinstance(step, SetPriority) else node.quorum)
            meant = step.priority if isinstance(step, SetPriority) else step.quorum
            if found != meant:
                return f"a setting of {step.node} is {found} instead of {meant}"
    return None


def _doubt_states(kind: Kind, primary: Node, standby: Node) -> str | None:
    if not primary.leads():
        return f"{primary.name} no longer leads"
    if kind in (Kind.DEGRADE, Kind.RESYNC, Kind.NORMAL) and not standby.is_("secondary"):
        return f"{standby.name} is not a secondary any more"
    if kind in (Kind.RESYNC, Kind.DEGRADE_AGAIN) and standby.priority != 0:
        return f"{standby.name} has been made a candidate"
    if kind is Kind.NORMAL and not standby.quorum:
        return f"commits do not wait for {standby.name} any more"
    return _doubt_primary(kind, primary, standby)


def _doubt_primary(kind: Kind, primary: Node, standby: Node) -> str | None:
    # Setting anything assigns apply_settings, which hides that the primary may have been alone meanwhile.
    if kind in (Kind.RESYNC, Kind.NORMAL) and primary.reported != "primary":
        return f"{primary.name} has not reported primary"
    if kind is Kind.PROMOTED and primary.reported != "primary" and standby.assigned == "secondary":
        return f"{standby.name} is a secondary now, and may lack writes"
    return None
