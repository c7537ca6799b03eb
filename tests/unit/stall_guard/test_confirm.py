"""The second look inside the transaction."""

from __future__ import annotations

import pytest
from guard_samples import (
    ALONE,
    ASIDE,
    CATCHING_UP,
    DEGRADED,
    IN_STEP,
    LIMITS,
    RESYNC,
    STALLED,
    WAITED_FOR,
    play,
    view,
)
from stall_guard.confirm import doubt
from stall_guard.decisions import Kind
from stall_guard.observations import Marker, Phase
from test_hung import HUNG, hang

APPLYING = {"assigned": "apply_settings"}
PROMOTED = Marker("msk", "spb", Phase.DEGRADED, 50)
ALONE_AS_PRIMARY = {"reported": "wait_primary", "assigned": "wait_primary", "quorum": False}


def decision(kind: Kind):
    """A decision of this kind, made by the guard itself."""
    if kind is Kind.NORMAL:
        memory, _ = play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0)
        return play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0, memory, start=101.0)[1]
    made = {
        Kind.DEGRADE: lambda: play(view(), STALLED, 30),
        Kind.RESYNC: lambda: play(view({}, ASIDE, DEGRADED), CATCHING_UP, 30),
        Kind.DEGRADE_AGAIN: lambda: play(view({}, WAITED_FOR, RESYNC), STALLED, 30),
        Kind.CLOSE: lambda: play(view({}, {"priority": 50, "quorum": False}, DEGRADED), ALONE, 0),
        Kind.PROMOTED: lambda: play(view(ALONE_AS_PRIMARY, {"assigned": "demoted"}, PROMOTED), ALONE, 0),
        Kind.GONE: lambda: play(view(marker=Marker("old", "msk", Phase.DEGRADED, 50)), IN_STEP, 0),
        Kind.FAILOVER: hang,
    }
    return made[kind]()[1]


FAILING_OVER = ({**HUNG, "assigned": "draining"}, {"assigned": "prepare_promotion"})
AS_MEANT = {
    Kind.DEGRADE: (APPLYING, ASIDE),
    Kind.RESYNC: (APPLYING, WAITED_FOR),
    Kind.DEGRADE_AGAIN: (APPLYING, ASIDE),
    Kind.CLOSE: (APPLYING, ASIDE),
    Kind.NORMAL: (APPLYING, {}),
    Kind.PROMOTED: (APPLYING, {"assigned": "demoted"}),
    Kind.GONE: ({}, {}),
    Kind.FAILOVER: FAILING_OVER,
}


@pytest.mark.parametrize("kind", Kind)
def test_a_decision_that_still_holds_is_committed(kind):
    assert decision(kind).kind is kind
    assert doubt(LIMITS, decision(kind), view(*AS_MEANT[kind])) is None


@pytest.mark.parametrize(
    ("kind", "primary", "standby", "words"),
    [
        (Kind.DEGRADE, {"assigned": "draining"}, ASIDE, "no longer leads"),
        (Kind.DEGRADE, APPLYING, ASIDE | {"assigned": "catchingup"}, "not a secondary"),
        (Kind.DEGRADE, APPLYING, {"priority": 50, "quorum": False}, "setting of spb is 50"),
        (Kind.DEGRADE, APPLYING, {"priority": 0, "quorum": True}, "setting of spb is True"),
        (Kind.RESYNC, APPLYING | {"reported": "wait_primary"}, WAITED_FOR, "has not reported primary"),
        (Kind.RESYNC, APPLYING, WAITED_FOR | {"reported": "catchingup"}, "not a secondary"),
        (Kind.RESYNC, APPLYING, {"priority": 50}, "made a candidate"),
        (Kind.DEGRADE_AGAIN, APPLYING, {"quorum": False}, "made a candidate"),
        (Kind.NORMAL, APPLYING, {"quorum": False}, "do not wait"),
        (Kind.NORMAL, APPLYING | {"reported": "wait_primary"}, {}, "has not reported primary"),
        (Kind.NORMAL, APPLYING, {"changed": "12:01"}, "in another state meanwhile"),
        (Kind.NORMAL, APPLYING, {"assigned": "catchingup"}, "not a secondary"),
        (Kind.DEGRADE_AGAIN, {"assigned": "demoted"}, ASIDE, "no longer leads"),
        (Kind.PROMOTED, APPLYING | {"reported": "wait_primary"}, {}, "may lack writes"),
        (Kind.FAILOVER, HUNG, {}, "not started"),
        (Kind.FAILOVER, {**FAILING_OVER[0], "health": 1}, FAILING_OVER[1], "health check"),
        (Kind.FAILOVER, {**FAILING_OVER[0], "wal_age": 0.2}, FAILING_OVER[1], "WAL position"),
        (Kind.FAILOVER, FAILING_OVER[0], {**FAILING_OVER[1], "priority": 0}, "not a candidate"),
    ],
)
def test_a_decision_that_was_overtaken_is_rolled_back(kind, primary, standby, words):
    assert words in doubt(LIMITS, decision(kind), view(primary, standby))


def test_a_failover_is_rolled_back_when_a_marker_has_appeared():
    assert "set aside" in doubt(LIMITS, decision(Kind.FAILOVER), view(*FAILING_OVER, marker=RESYNC))


def test_a_changed_group_is_left_alone():
    assert "have changed" in doubt(LIMITS, decision(Kind.DEGRADE), view(nodes=view().nodes[:1]))
    assert "have changed" in doubt(LIMITS, decision(Kind.DEGRADE), view(standby={"name": "new"}))
