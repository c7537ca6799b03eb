"""One case per branch of the decision, for readers; every order of events is played in test_every_order.py."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from guard_samples import (
    ALONE,
    ASIDE,
    CATCHING_UP,
    DEGRADED,
    IN_STEP,
    LIMITS,
    PRIMARY,
    RESYNC,
    STALLED,
    STANDBY,
    WAITED_FOR,
    play,
    view,
)
from stall_guard.core import decide, settle
from stall_guard.decisions import (
    Kind,
    MoveMarker,
    Outcome,
    PlaceMarker,
    RemoveMarker,
    Result,
    SetPriority,
    SetQuorum,
)
from stall_guard.memory import Memory
from stall_guard.observations import (
    Marker,
    MonitorView,
    NotAsked,
    Phase,
    Refused,
    Unanswered,
    leading_pair,
    pair_to_watch,
    remark,
)

LONG = 30


def test_nothing_is_done_while_the_standby_streams():
    assert play(view(), IN_STEP, LONG)[1] is None


def test_a_stall_sets_the_standby_aside_priority_first():
    memory, decision = play(view(), STALLED, 3)
    assert decision is None
    _, decision = play(view(), STALLED, 0, memory, start=104.0)
    assert decision.kind is Kind.DEGRADE
    assert decision.steps == (SetPriority("spb", 0), SetQuorum("spb", False), PlaceMarker("spb", "msk", 50))
    assert "4.0 s" in decision.event


def test_a_stall_while_the_primary_applies_settings_is_ended_in_two_transactions():
    applying = {"reported": "apply_settings"}
    memory, decision = play(view(applying), STALLED, LONG)
    assert decision.steps == (SetPriority("spb", 0), PlaceMarker("spb", "msk", 50, Phase.RESYNC))
    memory = settle(memory, decision, Outcome(Result.DONE), 104.0)
    _, decision = play(view(applying, WAITED_FOR, RESYNC), STALLED, 0, memory, start=105.0)
    assert decision.steps == (SetQuorum("spb", False), MoveMarker("spb", Phase.RESYNC, Phase.DEGRADED))


@pytest.mark.parametrize(
    ("primary", "standby", "answer"),
    [
        pytest.param({}, {}, ALONE, id="commits do not wait"),
        pytest.param({}, {"assigned": "catchingup"}, STALLED, id="the monitor takes the standby out itself"),
        pytest.param({}, {"quorum": False}, STALLED, id="not in the quorum anyway"),
        pytest.param({}, {"age": 3.0}, STALLED, id="the standby's keeper is silent"),
        pytest.param({"age": 3.0}, {}, STALLED, id="the primary's keeper is silent"),
        pytest.param({"assigned": "draining"}, {}, STALLED, id="a failover is under way"),
        pytest.param({"assigned": "wait_primary"}, {}, STALLED, id="the primary is being released already"),
        pytest.param({}, {}, replace(STALLED, in_recovery=True), id="not a primary at all"),
        pytest.param({}, {}, replace(STALLED, read_only=True), id="read-only"),
        pytest.param({}, {}, Refused("no password"), id="cannot be read"),
        pytest.param({}, {}, NotAsked(), id="was not asked"),
    ],
)
def test_a_stall_is_left_alone(primary, standby, answer):
    assert play(view(primary, standby), answer, LONG)[1] is None


@pytest.mark.parametrize(
    "values",
    [
        {"nodes": (PRIMARY,)},
        {"nodes": (PRIMARY, STANDBY, replace(STANDBY, id=3, name="wit"))},
        {"sync_standbys": 1},
        {"sync_standbys": None},
        {"nodes": (PRIMARY, replace(PRIMARY, id=2, name="spb"))},
        {"nodes": (PRIMARY, replace(STANDBY, group=1))},
    ],
)
def test_another_topology_is_left_alone(values):
    assert leading_pair(view(**values)) is None
    assert play(view(**values), STALLED, LONG)[1] is None


def test_a_short_interruption_is_left_alone():
    memory, _ = play(view(), STALLED, 3)
    memory, _ = play(view(), IN_STEP, 0, memory, start=104.0)
    assert play(view(), STALLED, 3, memory, start=105.0)[1] is None


@pytest.mark.parametrize("answer", [Refused("no"), Unanswered(104.0)])
def test_a_tick_without_a_reading_starts_the_timer_anew(answer):
    memory, _ = play(view(), STALLED, 3)
    memory, _ = play(view(), answer, 0, memory, start=104.0)
    assert play(view(), STALLED, 3, memory, start=105.0)[1] is None


def test_a_guard_that_was_stopped_starts_the_timer_anew():
    memory, _ = play(view(), STALLED, 2)
    assert play(view(), STALLED, 3, memory, start=200.0)[1] is None


def test_the_timers_belong_to_one_pair():
    memory, _ = play(view(), STALLED, 3)
    swapped = view({"name": "spb", "id": 2}, {"name": "msk", "id": 1})
    assert play(swapped, STALLED, 3, memory, start=104.0)[1] is None


def test_resync_begins_after_uninterrupted_streaming():
    memory, decision = play(view({}, ASIDE, DEGRADED), CATCHING_UP, 2)
    assert decision is None
    _, decision = play(view({}, ASIDE, DEGRADED), CATCHING_UP, 0, memory, start=103.0)
    assert decision.kind is Kind.RESYNC
    assert decision.steps == (SetQuorum("spb", True), MoveMarker("spb", Phase.DEGRADED, Phase.RESYNC))


@pytest.mark.parametrize(
    ("primary", "standby", "answer"),
    [
        pytest.param({}, {}, ALONE, id="does not stream"),
        pytest.param({}, {}, replace(CATCHING_UP, position=2_000_000), id="too far behind"),
        pytest.param({}, {"reported": "catchingup"}, CATCHING_UP, id="not a secondary yet"),
        pytest.param({"assigned": "apply_settings"}, {}, CATCHING_UP, id="the primary applies settings"),
    ],
)
def test_resync_waits(primary, standby, answer):
    assert play(view(primary, ASIDE | standby, DEGRADED), answer, LONG)[1] is None


def test_normal_again_needs_a_position_read_after_commits_wait():
    seen = view({}, WAITED_FOR, RESYNC)
    memory, decision = play(seen, replace(IN_STEP, position=5000, flushed=4000), 0)
    assert decision is None
    assert memory.streams.target == 5000
    memory, decision = play(seen, replace(IN_STEP, position=9000, flushed=4999), 0, memory, start=101.0)
    assert decision is None
    _, decision = play(seen, replace(IN_STEP, position=9000, flushed=5000), 0, memory, start=102.0)
    assert decision.kind is Kind.NORMAL
    assert decision.steps == (SetPriority("spb", 50), RemoveMarker("spb", Phase.RESYNC))


@pytest.mark.parametrize(
    ("primary", "standby", "answer"),
    [
        pytest.param({}, {}, replace(IN_STEP, sync_on=False), id="commits do not wait"),
        pytest.param({}, {}, replace(IN_STEP, synchronous=False), id="not the one commits wait for"),
        pytest.param({"reported": "apply_settings"}, {}, IN_STEP, id="the primary is not done"),
        pytest.param({}, {"assigned": "catchingup"}, IN_STEP, id="the standby is taken out"),
    ],
)
def test_any_doubt_takes_the_position_back(primary, standby, answer):
    memory, _ = play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0)
    memory, decision = play(view(primary, WAITED_FOR | standby, RESYNC), answer, 0, memory, start=101.0)
    assert decision is None
    assert memory.streams.target is None


def test_a_change_of_the_standby_takes_the_position_anew():
    memory, _ = play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0)
    changed = view({}, WAITED_FOR | {"changed": "12:01"}, RESYNC)
    later = replace(IN_STEP, position=3000, flushed=3000)
    memory, decision = play(changed, later, 0, memory, start=101.0)
    assert decision is None
    assert memory.streams.target == 3000


def test_the_position_is_taken_back_after_a_pause_of_the_guard():
    memory, _ = play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0)
    _, decision = play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0, memory, start=160.0)
    assert decision is None


def test_a_stall_during_resync_degrades_again():
    _, decision = play(view({}, WAITED_FOR, RESYNC), STALLED, LONG)
    assert decision.kind is Kind.DEGRADE_AGAIN
    assert decision.steps == (SetQuorum("spb", False), MoveMarker("spb", Phase.RESYNC, Phase.DEGRADED))


@pytest.mark.parametrize("marker", [DEGRADED, RESYNC])
def test_a_candidate_made_by_someone_else_is_closed_while_the_primary_lives(marker):
    quorum = marker is RESYNC
    _, decision = play(view({}, {"priority": 50, "quorum": quorum}, marker), ALONE, 0)
    assert decision.kind is Kind.CLOSE
    assert decision.steps == (SetPriority("spb", 0),)


@pytest.mark.parametrize(("marker", "quorum"), [(DEGRADED, True), (RESYNC, False)])
def test_a_quorum_changed_by_someone_else_goes_back_to_degraded(marker, quorum):
    _, decision = play(view({}, {"priority": 0, "quorum": quorum}, marker), ALONE, 0)
    assert decision.kind is Kind.DEGRADE_AGAIN
    assert decision.steps[-1] == MoveMarker("spb", marker.phase, Phase.DEGRADED)


PROMOTED = Marker("msk", "spb", Phase.DEGRADED, 50)
GIVEN_BACK = (SetPriority("msk", 50), SetQuorum("msk", True), RemoveMarker("msk", Phase.DEGRADED))


@pytest.mark.parametrize(
    ("primary", "standby"),
    [
        pytest.param(
            {"reported": "wait_primary", "assigned": "wait_primary"}, {"assigned": "demoted"}, id="alone"
        ),
        pytest.param({}, {}, id="the other node has rejoined"),
    ],
)
def test_a_promoted_standby_gets_its_settings_back(primary, standby):
    _, decision = play(view(primary | {"quorum": False}, standby, PROMOTED), ALONE, 0)
    assert decision.kind is Kind.PROMOTED
    assert decision.steps == GIVEN_BACK


def test_a_promoted_standby_waits_while_the_other_node_rejoins():
    seen = view({"reported": "wait_primary", "quorum": False}, {}, PROMOTED)
    assert play(seen, replace(IN_STEP, synchronous=False), LONG)[1] is None
    alone = view({"reported": "wait_primary", "assigned": "wait_primary"}, {}, PROMOTED)
    assert play(alone, IN_STEP, LONG)[1] is None


def test_a_node_cut_off_while_it_rejoins_a_promoted_one_is_set_aside():
    _, decision = play(view({"reported": "wait_primary", "quorum": False}, {}, PROMOTED), STALLED, LONG)
    assert decision.kind is Kind.DEGRADE
    marker = PlaceMarker("spb", "msk", 50, Phase.RESYNC)
    assert decision.steps == (SetPriority("spb", 0), *GIVEN_BACK, marker)


def test_the_marker_of_a_node_that_is_gone_is_removed():
    _, decision = play(view(marker=Marker("old", "msk", Phase.RESYNC, 50)), IN_STEP, 0)
    assert decision.kind is Kind.GONE
    assert decision.steps == (RemoveMarker("old", Phase.RESYNC),)


def test_a_refused_decision_is_tried_again_at_once():
    memory, decision = play(view(), STALLED, LONG)
    memory = settle(memory, decision, Outcome(Result.REFUSED, "lock timeout"), 104.0)
    assert play(view(), STALLED, 0, memory, start=105.0)[1] == replace(
        decision, event=decision.event.replace("4.0", "5.0")
    )


def test_a_resync_forgets_positions_of_before():
    memory, _ = play(view({}, WAITED_FOR, RESYNC), IN_STEP, 0)
    _, decision = play(view({}, ASIDE, DEGRADED), CATCHING_UP, LONG)
    assert settle(memory, decision, Outcome(Result.UNKNOWN), 0.0).streams.target is None


def test_only_a_promoted_marked_node_is_watched_outside_a_leading_pair():
    alone = {"reported": "wait_primary", "assigned": "wait_primary"}
    assert pair_to_watch(view(alone)) is None
    assert pair_to_watch(view(alone, {}, DEGRADED)) is None
    assert pair_to_watch(view(alone, {}, PROMOTED))[0].name == "msk"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (view(), None),
        (view({}, ASIDE, DEGRADED), None),
        (view(sync_standbys=None), "does not exist"),
        (view(sync_standbys=1), "number_sync_standbys 1"),
        (view(nodes=(PRIMARY,)), "1 nodes"),
        (view({}, {"priority": 0}), "no marker, but spb"),
    ],
)
def test_what_an_operator_should_know_is_remarked(seen, words):
    found = remark(seen)
    assert found is None if words is None else words in found


STATES = ("primary", "apply_settings", "wait_primary", "secondary", "catchingup", "draining")
MARKERS = (None, DEGRADED, RESYNC, PROMOTED)
ANSWERS = (IN_STEP, STALLED, CATCHING_UP, Refused("no"), Unanswered(100.0), NotAsked())


def every_view() -> list[MonitorView]:
    pairs = list(itertools.product(STATES, STATES))
    ages = (0.5, 50.0)
    return [
        view({"reported": a, "assigned": b, "age": x}, {"reported": c, "assigned": d, "quorum": q}, marker)
        for (a, b), (c, d) in itertools.product(pairs, pairs)
        for marker, q, x in itertools.product(MARKERS, (True, False), ages)
        if "secondary" in (c, d) and a in STATES[:3]
    ]


def test_settings_change_only_on_an_answer_of_the_primary():
    """Whatever the monitor shows and the guard remembers: without a reading no setting is touched."""
    memory, _ = play(view(), STALLED, 3)
    kept = replace(memory, pair=("msk", "spb"), read_at=103.5)
    for seen in every_view():
        for answer in ANSWERS[3:]:
            for before in (Memory(), kept):
                assert decide(LIMITS, before, seen, answer, 104.0)[1] is None
