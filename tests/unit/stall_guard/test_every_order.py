"""Every order of events on a small model: what must never happen, and what must come about."""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import replace

import guard_world as model
import pytest
from guard_world import NAMES, World, fair_round, moves
from stall_guard.core import decide
from stall_guard.decisions import Kind, PlaceMarker, SetPriority
from stall_guard.observations import Phase

SAMPLE = 60
"""States per family from which it is checked that everything comes right again."""
ROUNDS = 40
EVERYBODY_THERE = {"reach": (True, True), "hung": (False, False), "dead": (False, False), "requests": 0}
RESUMED = {Kind.RESYNC, Kind.NORMAL}


def settle_down(world: World, rounds: int = 8) -> World:
    for _ in range(rounds):
        world = fair_round(world)
    return world


def degraded() -> World:
    """The link is cut and the standby has been set aside."""
    world = settle_down(World(link=False))
    assert world.marker is not None
    assert not world.sync
    return world


def rejoining() -> World:
    """The standby was away and comes back: the monitor has just told the primary to wait for it again."""
    world = World(reach=(True, False), link=False)
    world = settle_down(world)._replace(reach=(True, True), link=True)
    assert world.rows[0].is_("wait_primary")
    while world.rows[0].assigned != "primary":
        world = model.keeper(model.keeper(world, 1), 0)
    assert world.roles[0] in ("wait_primary", "primary")
    return world


# What may break, how often, and which decisions must have been met on the way.
FAMILIES = {
    "link, guard killed": (
        World(faults=5),
        (model.unplug, model.crash),
        {Kind.DEGRADE, Kind.DEGRADE_AGAIN, *RESUMED},
    ),
    "link, monitor unreadable": (
        World(faults=4),
        (model.unplug, model.lose_monitor, model.crash),
        {Kind.DEGRADE, Kind.DEGRADE_AGAIN, *RESUMED},
    ),
    "link and sites": (World(faults=2), (model.unplug, model.cut_site), {Kind.DEGRADE, *RESUMED}),
    "hang": (
        World(faults=3),
        (model.hang, model.unplug, model.crash, model.much_later),
        {Kind.FAILOVER, Kind.DEGRADE, Kind.DEGRADE_AGAIN, *RESUMED},
    ),
    "hosts": (World(faults=2), (model.unplug, model.kill), {Kind.DEGRADE, *RESUMED}),
    "link while rejoining": (
        rejoining()._replace(faults=3),
        (model.unplug, model.crash),
        {Kind.DEGRADE, Kind.DEGRADE_AGAIN, *RESUMED},
    ),
    "degraded, then anything": (
        degraded()._replace(faults=2),
        (model.unplug, model.cut_site, model.kill, model.hang, model.crash),
        {Kind.DEGRADE, Kind.DEGRADE_AGAIN, Kind.FAILOVER, *RESUMED},
    ),
    "degraded, primary lost, human": (
        degraded()._replace(dead=(True, False), faults=2),
        (model.promote_by_hand, model.kill, model.unplug),
        {Kind.CLOSE, Kind.PROMOTED, Kind.DEGRADE, Kind.DEGRADE_AGAIN, *RESUMED},
    ),
}


def check_safe(world: World) -> None:
    """Assert that no standby is promotable while it lacks an acknowledged write, and that failovers are rare."""
    lead, other = world.rows[world.lead], world.rows[1 - world.lead]
    upstream_window = lead.is_("wait_primary")
    if lead.in_primary_state() and other.is_("secondary") and other.priority > 0:
        complete = not world.acked or world.by_human or upstream_window
        assert complete, "a standby is promotable although it lacks an acknowledged write"
    assert world.requests <= 1, "more than one failover was requested in one episode"


def check_marker(world: World) -> None:
    """Assert that the marker is there exactly when settings are not the normal ones."""
    marker = world.marker
    if world.by_human or (marker is not None and marker.standby == NAMES[world.lead]):
        return
    settings = {name: (row.priority, row.quorum) for name, row in zip(NAMES, world.rows, strict=True)}
    if marker is not None:
        set_aside = (0, marker.phase is Phase.RESYNC)
        assert settings.pop(marker.standby) == set_aside, "the marker and the settings differ"
    assert set(settings.values()) == {(model.PRIORITY, True)}, "settings are degraded without a marker"


def check(world: World) -> None:
    check_safe(world)
    check_marker(world)


def explore(start: World, faults: tuple, checks=check, limit: int = 30_000, **guard) -> list[World]:
    """Return the states that can follow `start`, breadth first, each of them checked."""
    seen = {start: None}
    queue = deque([start])
    while queue and len(seen) < limit:
        for after in moves(queue.popleft(), faults, **guard):
            if after not in seen:
                checks(after)
                seen[after] = None
                queue.append(after)
    return list(seen)


def sample(states: list[World]) -> list[World]:
    return random.Random(7).sample(states, SAMPLE)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_order_of_events_puts_an_acknowledged_write_at_risk(name):
    """Every state is checked while it is found; from some of them it is checked that all comes right again."""
    start, faults, expected = FAMILIES[name]
    states = explore(start, faults)
    met = Counter(world.guard.decision.kind for world in states if world.guard.decision)
    assert set(met) == expected
    for world in sample(states):
        check_that_it_heals(world)
        check_that_no_stall_is_permanent(world)


def check_that_it_heals(world: World) -> None:
    healed = world._replace(link=True, **EVERYBODY_THERE)
    for _ in range(ROUNDS):
        healed = fair_round(healed)
        check_safe(healed)
    assert healed.marker is None
    check_marker(healed)
    assert healed.rows[healed.lead].is_("primary")
    assert healed.rows[1 - healed.lead].is_("secondary")
    assert healed.sync
    assert not healed.acked


def check_that_no_stall_is_permanent(world: World) -> None:
    """The link stays cut while both nodes reach the monitor: writes are acknowledged in the end."""
    cut = settle_down(world._replace(link=False, **EVERYBODY_THERE), ROUNDS)
    stalled = cut.sync and not model.streams(cut)
    assert not stalled
    assert model.write(cut).acked


def test_a_hung_primary_is_replaced():
    world = settle_down(World(hung=(True, False), guard=fair_round(fair_round(World())).guard), 12)
    assert world.lead == 1
    assert world.rows[1].assigned in ("wait_primary", "primary")
    assert world.failed_over


def test_a_hung_primary_is_left_alone_when_the_guard_was_just_started():
    world = settle_down(World(hung=(True, False)), 12)
    assert world.lead == 0
    assert not world.failed_over


def test_a_stall_is_ended_when_the_standby_was_being_waited_for_again():
    """The cut comes between wait_primary and primary, where the keeper waits for the standby as well."""
    world = settle_down(rejoining()._replace(link=False), 10)
    assert world.marker is not None
    assert not world.sync


def test_a_second_cut_during_resync_degrades_again():
    world = degraded()._replace(link=True)
    while world.marker.phase is Phase.DEGRADED:
        world = fair_round(world)
    world = settle_down(world._replace(link=False), 10)
    assert world.marker.phase is Phase.DEGRADED
    assert not world.sync
    assert world.rows[1].priority == 0


def test_a_human_promotion_ends_normal_again():
    lost = model.write(degraded())._replace(dead=(True, False))
    (promoted,) = model.promote_by_hand(settle_down(lost))
    world = settle_down(promoted, 6)
    assert world.lead == 1
    world = settle_down(world._replace(dead=(False, False), link=True), ROUNDS)
    assert world.marker is None
    assert world.rows[1].is_("primary")
    check(world)


def test_a_candidate_made_by_hand_while_the_primary_lives_is_closed_again():
    world = model.write(degraded())
    world = settle_down(model.set_row(world, "spb", priority=50)._replace(by_human=True), 3)
    assert world.rows[1].priority == 0
    assert world.marker is not None


# --- the model finds guards that are wrong -----------------------------------------------------------------------


def unconditional(*_: object) -> None:
    return None


def forgets_priority(*given):
    memory, decision = decide(*given)
    if decision is not None and decision.kind is Kind.DEGRADE:
        decision = replace(decision, steps=tuple(s for s in decision.steps if not isinstance(s, SetPriority)))
    return memory, decision


def forgets_marker(*given):
    memory, decision = decide(*given)
    if decision is not None and decision.kind is Kind.DEGRADE:
        decision = replace(decision, steps=tuple(s for s in decision.steps if not isinstance(s, PlaceMarker)))
    return memory, decision


def promotable_too_early(*given):
    memory, decision = decide(*given)
    if decision is not None and decision.kind is Kind.RESYNC:
        decision = replace(decision, steps=(*decision.steps, SetPriority(decision.standby, model.PRIORITY)))
    return memory, decision


def ignores_the_target(limits, memory, *given):
    memory, decision = decide(limits, memory, *given)
    if decision is None and memory.streams.target is not None:
        memory = replace(memory, streams=replace(memory.streams, target=0))
        memory, decision = decide(limits, memory, *given)
    return memory, decision


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("link, guard killed", {"decider": forgets_priority, "doubter": unconditional}),
        ("link, guard killed", {"decider": promotable_too_early, "doubter": unconditional}),
        ("link, guard killed", {"decider": ignores_the_target}),
    ],
)
def test_the_model_finds_a_guard_that_loses_writes(name, wrong):
    with pytest.raises(AssertionError, match="promotable although"):
        explore(*FAMILIES[name][:2], checks=check_safe, **wrong)


def test_the_model_finds_a_guard_that_forgets_its_marker():
    with pytest.raises(AssertionError, match="without a marker"):
        explore(*FAMILIES["link, guard killed"][:2], decider=forgets_marker, doubter=unconditional)


def test_the_model_finds_a_guard_without_its_second_look():
    """Between its reading and its transaction the standby goes and comes, and the primary is alone meanwhile."""
    world = degraded()._replace(link=True)
    while world.guard.decision is None or world.guard.decision.kind is not Kind.NORMAL:
        world = model.keeper(model.keeper(world, 1), 0)
        world = model.stream(world) or world
        world = next_guard_step(world)
    start = world._replace(faults=3)
    faults = (model.unplug, model.cut_site)
    with pytest.raises(AssertionError, match="promotable although"):
        explore(start, faults, checks=check_safe, doubter=unconditional)
    explore(start, faults, limit=4_000)


def next_guard_step(world: World) -> World:
    if world.guard.decision is not None:
        after, outcome = model.guard_acts(world)
        return model.guard_settles(world, after, outcome)
    return model.guard_asks(world) if world.guard.seen is not None else model.guard_looks(world)
