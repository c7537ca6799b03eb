"""A small model of everything around the guard: monitor, two keepers, two Postgres, network, and writes.

A `World` is one immutable state; `moves` lists every state that may follow it. The rules of the monitor and the
keepers are those of pg_auto_failover 2.2's source (group_state_machine.c, node_active_protocol.c, fsm_transition.c),
cut down to two nodes. The guard's own code takes part unchanged: `decide`, `doubt`, `settle`.

Time passes only with the guard's ticks, one second each; everything else happens between any two of its steps, so every
order is played. Times in the guard's memory are kept relative to now and capped, which keeps the states few.

Left out on purpose, because it is upstream's own gap and not the guard's: the second after a promotion or a rejoin in
which the primary is alone (``wait_primary``) although the standby may already be a candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from stall_guard.confirm import doubt
from stall_guard.core import decide, settle
from stall_guard.decisions import (
    Decision,
    Kind,
    MoveMarker,
    Outcome,
    PlaceMarker,
    RemoveMarker,
    RequestFailover,
    Result,
    SetPriority,
    SetQuorum,
)
from stall_guard.memory import Hang, Limits, Memory, forget_streams
from stall_guard.observations import (
    Answer,
    Marker,
    MonitorView,
    Node,
    NotAsked,
    Reading,
    Unanswered,
    pair_to_watch,
)

NAMES = ("msk", "spb")
PRIORITY = 50
LIMITS = Limits(stall=2.0, resume=1.0, max_lag=1, fresh=3.0, hung=2.0)
OLD = 99.0
WRITABLE = ("primary", "wait_primary", "apply_settings")


class Row(NamedTuple):
    """A node as the monitor knows it."""

    reported: str
    assigned: str
    priority: int = PRIORITY
    quorum: bool = True

    def is_(self, state: str) -> bool:
        return self.reported == self.assigned == state

    def in_primary_state(self) -> bool:
        """The monitor's IsInPrimaryState: from here it fails over by itself."""
        changing = ("primary", "apply_settings")
        return (self.reported == self.assigned and self.assigned in WRITABLE) or (
            self.assigned in changing and self.reported in changing
        )


class Seen(NamedTuple):
    """What one reading of the monitor shows."""

    rows: tuple[Row, Row]
    marker: Marker | None
    failed_over: bool
    fresh: tuple[bool, bool]
    blind: tuple[bool, bool]
    healthy: tuple[bool, bool]
    stamps: tuple[str, str] = ("now", "now")
    """Of each node: whether its state is still that of this reading."""


class Guard(NamedTuple):
    """The guard's process: nothing read, the monitor read, or a decision made."""

    memory: Memory = Memory()
    seen: Seen | None = None
    decision: Decision | None = None


class World(NamedTuple):
    """One state of everything; pairs are (msk, spb)."""

    rows: tuple[Row, Row] = (Row("primary", "primary"), Row("secondary", "secondary"))
    marker: Marker | None = None
    failed_over: bool = False
    """The guard's log has a failover of a short while ago."""
    lead: int = 0
    """Whose Postgres takes writes."""
    roles: tuple[str, str] = ("primary", "secondary")
    """What each keeper has reached, reported or not."""
    fresh: tuple[bool, bool] = (True, True)
    """The keeper's last report is recent."""
    blind: tuple[bool, bool] = (False, False)
    """The keeper's reports have come without a WAL position for long."""
    reach: tuple[bool, bool] = (True, True)
    """The node's site reaches the witness."""
    link: bool = True
    hung: tuple[bool, bool] = (False, False)
    dead: tuple[bool, bool] = (False, False)
    sync: bool = True
    """Commits wait."""
    stale: bool = False
    """The leading keeper remembers a position from an interrupted attempt."""
    behind: int = 0
    """Writes that only the primary has, oldest first..."""
    acked: int = 0
    """...and how many of them were acknowledged."""
    by_human: bool = False
    """A human has accepted a loss."""
    requests: int = 0
    """Failovers requested since the primary last answered."""
    guard: Guard = Guard()
    faults: int = 0
    """How many more faults may happen."""


class Broken(AssertionError):
    """The model itself went wrong."""


def put(pair: tuple, index: int, value: object) -> tuple:
    """Return `pair` with one of its two values replaced."""
    return (value, pair[1]) if index == 0 else (pair[0], value)


def streams(world: World) -> bool:
    """Whether the standby receives from the primary now."""
    other = 1 - world.lead
    return (
        world.link
        and world.roles[other] in ("secondary", "catchingup")
        and world.roles[world.lead] in WRITABLE
        and not any(world.dead)
        and not any(world.hung)
    )


# --- writes --------------------------------------------------------------------------------------------------------


def write(world: World) -> World | None:
    """A client commits: acknowledged at once when nobody is waited for, else when the standby has it."""
    lead = world.lead
    if world.dead[lead] or world.hung[lead] or world.roles[lead] not in WRITABLE:
        return None
    behind = min(2, world.behind + 1)
    return world._replace(behind=behind, acked=world.acked if world.sync else behind)


def stream(world: World) -> World | None:
    """The standby receives and flushes the oldest write that it lacks."""
    if not world.behind or not streams(world):
        return None
    guard = world.guard
    target = guard.memory.streams.target
    if target is not None:
        earlier = replace(guard.memory.streams, target=max(0, target - 1))
        guard = guard._replace(memory=replace(guard.memory, streams=earlier))
    return world._replace(behind=world.behind - 1, acked=max(0, world.acked - 1), guard=guard)


def with_sync(world: World, sync: bool) -> World:
    """The primary learns whether commits wait; turning it off acknowledges every write that waited."""
    return world._replace(sync=sync, acked=world.acked if sync else world.behind)


# --- the monitor ---------------------------------------------------------------------------------------------------


def unhealthy(world: World, index: int) -> bool:
    return not world.fresh[index] and (world.dead[index] or not world.reach[index])


def healthy(world: World, index: int) -> bool:
    return not (world.dead[index] or world.hung[index]) and world.reach[index]


def assign(world: World, index: int, state: str) -> World:
    return put_state(world, index, world.rows[index]._replace(assigned=state))


def put_state(world: World, index: int, row: Row) -> World:
    """Change a node's state; what the guard remembers of the earlier one is no longer of now."""
    if row == world.rows[index]:
        return world
    guard = world.guard
    if guard.seen is not None:
        guard = guard._replace(seen=guard.seen._replace(stamps=put(guard.seen.stamps, index, "before")))
    if guard.memory.streams.unchanged and guard.memory.pair == (NAMES[1 - index], NAMES[index]):
        earlier = replace(guard.memory.streams, unchanged="before")
        guard = guard._replace(memory=replace(guard.memory, streams=earlier))
    if guard.decision is not None and guard.decision.unchanged and guard.decision.standby == NAMES[index]:
        guard = guard._replace(decision=replace(guard.decision, unchanged="before"))
    return world._replace(rows=put(world.rows, index, row), guard=guard)


def primary_reports(world: World, me: int) -> World:
    """ProceedGroupStateForPrimaryNode."""
    row, other = world.rows[me], world.rows[1 - me]
    if row.reported != row.assigned or row.assigned not in WRITABLE:
        return world
    usable = other.is_("secondary")
    if other.assigned == "secondary" and unhealthy(world, 1 - me):
        world, usable = assign(world, 1 - me, "catchingup"), False
    if not other.quorum:
        return assign(world, me, "primary" if usable else "wait_primary")
    if row.assigned != "wait_primary" and not usable:
        return assign(world, me, "wait_primary")
    if row.assigned == "wait_primary":
        return assign(world, me, "primary") if usable else world
    return assign(world, me, "primary") if row.assigned == "apply_settings" else world


def standby_reports(world: World, me: int) -> World:
    """ProceedGroupState for a node that is not the primary."""
    row, other = world.rows[me], world.rows[1 - me]
    if row.is_("catchingup") and healthy(world, me) and (other.is_("primary") or other.is_("wait_primary")):
        return assign(world, me, "secondary")
    upstream_window = other.is_("wait_primary") and not world.by_human
    if (
        row.is_("secondary")
        and row.priority > 0
        and healthy(world, me)
        and other.in_primary_state()
        and unhealthy(world, 1 - me)
        and not upstream_window
    ):
        return assign(assign(world, me, "prepare_promotion"), 1 - me, "draining")
    if row.is_("prepare_promotion"):
        return assign(assign(world, me, "wait_primary"), 1 - me, "demoted")
    if row.is_("demoted") and healthy(world, 1 - me) and (other.is_("wait_primary") or other.is_("primary")):
        return assign(world, me, "catchingup")
    return world


# --- the keepers ---------------------------------------------------------------------------------------------------


def keeper(world: World, me: int) -> World | None:
    """One round of a keeper: report, learn the assigned state, try to reach it (reported in the next round)."""
    if world.dead[me] or not world.reach[me]:
        return None
    world = put_state(world, me, world.rows[me]._replace(reported=world.roles[me]))
    world = world._replace(
        fresh=put(world.fresh, me, True),
        blind=put(world.blind, me, world.hung[me]),
    )
    proceed = primary_reports if world.rows[me].in_primary_state() else standby_reports
    world = proceed(world, me)
    goal = world.rows[me].assigned
    return world if world.roles[me] == goal or world.hung[me] else reach(world, me, goal)


def reach(world: World, me: int, goal: str) -> World:
    """The keeper's transition to `goal`; unchanged when it does not succeed this time."""
    reached = world._replace(roles=put(world.roles, me, goal))
    if world.roles[me] in WRITABLE and me == world.lead:
        if goal == "primary":
            return enable_sync(world, me)
        if goal == "wait_primary":
            return with_sync(reached, False)
        return reached
    if goal == "wait_primary":
        return promote(reached, me)
    return reached


def enable_sync(world: World, me: int) -> World:
    """fsm_enable_sync_rep: set the names, then wait until the standby has caught up with a remembered position."""
    other = world.rows[1 - me]
    names = other.quorum and other.assigned == "secondary"
    world = with_sync(world, names)
    # An ordinary rejoin with a remembered position is upstream's own gap; under the guard's marker it must do no harm.
    by_memory = world.stale and world.marker is not None and world.marker.standby == NAMES[1 - me]
    caught_up = streams(world) and (not world.behind or by_memory)
    if names and not caught_up:
        return world._replace(stale=world.stale or streams(world))
    stale = world.stale and not names
    return world._replace(roles=put(world.roles, me, "primary"), stale=stale)


def promote(world: World, me: int) -> World:
    """The standby becomes the primary; whatever it lacks is gone."""
    old = world.lead
    if me == old:
        raise Broken("promoted what already leads")
    if not world.by_human:
        assert not world.acked, "acknowledged writes were lost by a failover"
        alone = world.roles[old] in WRITABLE and not world.dead[old] and not world.sync
        assert not alone, "the old primary can acknowledge writes by itself"
    return world._replace(lead=me, sync=False, stale=False, behind=0, acked=0, by_human=False, requests=0)


def grow_old(world: World, me: int) -> World | None:
    """Seconds pass without a report."""
    silent = world.dead[me] or not world.reach[me]
    if not silent or not world.fresh[me]:
        return None
    return world._replace(fresh=put(world.fresh, me, False))


# --- the guard -----------------------------------------------------------------------------------------------------


@cache
def as_view(seen: Seen) -> MonitorView:
    """Return a reading in the guard's own terms."""
    nodes = []
    for index, row in enumerate(seen.rows):
        age = 0.0 if seen.fresh[index] else OLD
        nodes.append(
            Node(
                id=index + 1,
                name=NAMES[index],
                host="",
                port=5432,
                group=0,
                reported=row.reported,
                assigned=row.assigned,
                health=int(seen.healthy[index]),
                priority=row.priority,
                quorum=row.quorum,
                age=age,
                wal_age=OLD if seen.blind[index] else age,
                position=0,
                changed=seen.stamps[index],
            )
        )
    return MonitorView(tuple(nodes), 0, seen.marker, 0.0 if seen.failed_over else None)


def look(world: World) -> Seen:
    """Return what the monitor shows now."""
    health = (healthy(world, 0), healthy(world, 1))
    return Seen(world.rows, world.marker, world.failed_over, world.fresh, world.blind, health)


def answer_of(world: World, name: str, now: float) -> Answer:
    """Return what the node called `name` answers, in WAL positions relative to the standby's."""
    index = NAMES.index(name)
    if world.dead[index] or world.hung[index] or not world.reach[index] or world.roles[index] not in WRITABLE:
        return Unanswered(asked=now)
    streaming = streams(world)
    return Reading(
        in_recovery=False,
        read_only=False,
        sync_on=world.sync,
        streaming=streaming,
        synchronous=streaming and world.sync,
        position=world.behind,
        flushed=0,
    )


def at_zero(memory: Memory, now: float) -> Memory:
    """Return the memory with now as time 0 and everything older than its limit as old as the limit."""
    given = memory.streams
    given = replace(
        given,
        absent_since=_capped(given.absent_since, now, LIMITS.stall),
        present_since=_capped(given.present_since, now, LIMITS.resume),
    )
    hang = memory.hang
    if hang is not None:
        waits = max(0.0, hang.not_before - now)
        hang = Hang(
            -min(now - hang.since, LIMITS.hung),
            hang.was_in_step,
            hang.requested,
            min(hang.attempts, 1),
            waits,
        )
    read_at = None if memory.read_at is None else 0.0
    in_step_at = None if memory.in_step_at is None else 0.0
    return Memory(memory.pair, read_at, given, in_step_at, hang)


def _capped(since: float | None, now: float, limit: float) -> float | None:
    return None if since is None else -min(now - since, limit)


decide_cached = cache(decide)


def guard_looks(world: World) -> World:
    """First step of a tick: read the monitor."""
    seen = look(world)
    if pair_to_watch(as_view(seen)) is None:
        memory, _ = decide_cached(LIMITS, world.guard.memory, as_view(seen), NotAsked(), 1.0)
        return world._replace(guard=Guard(memory))
    return world._replace(guard=Guard(world.guard.memory, seen))


def guard_asks(world: World, decider=decide_cached) -> World:
    """Second step: ask the primary, and decide."""
    seen = world.guard.seen
    pair = pair_to_watch(as_view(seen))
    answer = answer_of(world, pair[0].name, 1.0)
    if isinstance(answer, Unanswered):
        seen = look(world)
        again = pair_to_watch(as_view(seen))
        if again is None or again[0].id != pair[0].id:
            answer = NotAsked()
    memory, decision = decider(LIMITS, world.guard.memory, as_view(seen), answer, 1.0)
    if decision is not None and decision.kind is not Kind.FAILOVER:
        assert isinstance(answer, Reading), "settings were changed without seeing the primary"
    return world._replace(guard=Guard(at_zero(memory, 1.0), None, decision))


def guard_acts(world: World, doubter=doubt) -> tuple[World, Outcome]:
    """Third step: the transaction on the monitor; returns the world after it and how it ended."""
    decision = world.guard.decision
    after = world
    for step in decision.steps:
        after = run_step(after, decision, step)
        if after is None:
            return world, Outcome(Result.REFUSED, "the monitor refused")
    reason = doubter(LIMITS, decision, as_view(look(after)))
    if reason is not None:
        return world, Outcome(Result.REFUSED, reason)
    if decision.kind is Kind.FAILOVER:
        after = after._replace(failed_over=True, requests=after.requests + 1)
    return after._replace(by_human=False), Outcome(Result.DONE)


def guard_settles(before: World, after: World, outcome: Outcome) -> World:
    """The guard learns how its transaction ended."""
    memory = settle(before.guard.memory, before.guard.decision, outcome, 0.0)
    return after._replace(guard=Guard(at_zero(memory, 0.0)))


def run_step(world: World, decision: Decision, step: object) -> World | None:
    """One step of a transaction, by the monitor's rules; None when it raises an error."""
    match step:
        case SetPriority(name, priority):
            return set_row(world, name, priority=priority)
        case SetQuorum(name, quorum):
            return set_row(world, name, quorum=quorum)
        case PlaceMarker(standby, primary, priority, phase):
            marker = Marker(standby, primary, phase, priority)
            return None if world.marker else world._replace(marker=marker)
        case MoveMarker(standby, before, phase):
            found = world.marker and (world.marker.standby, world.marker.phase) == (standby, before)
            return world._replace(marker=replace(world.marker, phase=phase)) if found else None
        case RemoveMarker(standby, before):
            found = world.marker and (world.marker.standby, world.marker.phase) == (standby, before)
            return world._replace(marker=None) if found else None
        case RequestFailover():
            return perform_failover(world)
    raise Broken(step)


def set_row(world: World, name: str, **values: object) -> World | None:
    """set_node_candidate_priority and set_node_replication_quorum: refused while settings are being applied."""
    index = NAMES.index(name)
    world = world._replace(rows=put(world.rows, index, world.rows[index]._replace(**values)))
    leads = next((i for i, row in enumerate(world.rows) if row.assigned in WRITABLE), None)
    if leads is None:
        return world
    return None if world.rows[leads].is_("apply_settings") else assign(world, leads, "apply_settings")


def perform_failover(world: World) -> World | None:
    """The monitor's function of that name, for two nodes."""
    for index in (0, 1):
        if world.rows[index].is_("primary") and world.rows[1 - index].is_("secondary"):
            return assign(assign(world, index, "draining"), 1 - index, "prepare_promotion")
    return None


# --- faults --------------------------------------------------------------------------------------------------------


def unplug(world: World) -> Iterator[World]:
    """The link between the sites breaks or heals."""
    yield world._replace(link=not world.link)


def cut_site(world: World) -> Iterator[World]:
    """A site loses the witness or reaches it again."""
    for index in (0, 1):
        yield world._replace(reach=put(world.reach, index, not world.reach[index]))


def hang(world: World) -> Iterator[World]:
    """The primary's Postgres stops answering, or answers again."""
    for index in (0, 1):
        if world.hung[index]:
            yield world._replace(hung=(False, False), requests=0)
        elif index == world.lead and not world.dead[index]:
            yield world._replace(hung=put(world.hung, index, True), requests=0)


def kill(world: World) -> Iterator[World]:
    """A host dies or boots."""
    for index in (0, 1):
        yield world._replace(
            dead=put(world.dead, index, not world.dead[index]), hung=put(world.hung, index, False)
        )


def crash(world: World) -> Iterator[World]:
    """The guard dies and starts again: between two steps, or with its transaction committed but not noticed."""
    guard = world.guard
    if guard != Guard():
        yield world._replace(guard=Guard())
    if guard.decision is not None:
        yield guard_acts(world)[0]._replace(guard=Guard())


def lose_monitor(world: World) -> Iterator[World]:
    """One reading of the monitor fails."""
    yield world._replace(guard=Guard(forget_streams(world.guard.memory)))


def promote_by_hand(world: World) -> Iterator[World]:
    """A human gives up the primary's site, whose power is off, and makes the standby a candidate again."""
    marker = world.marker
    if marker is not None and world.dead[world.lead] and NAMES[world.lead] != marker.standby:
        after = set_row(world, marker.standby, priority=PRIORITY)
        if after is not None:
            yield after._replace(by_human=True)


def much_later(world: World) -> Iterator[World]:
    """The pause after a failover is over."""
    if world.failed_over:
        yield world._replace(failed_over=False)


# --- all together --------------------------------------------------------------------------------------------------


def moves(world: World, faults: tuple, decider=decide_cached, doubter=doubt) -> Iterator[World]:
    """Yield every state that may come next."""
    for after in (write(world), stream(world), *(f(world, i) for f in (keeper, grow_old) for i in (0, 1))):
        if after is not None:
            yield after
    if world.guard.decision is not None:
        after, outcome = guard_acts(world, doubter)
        yield guard_settles(world, after, outcome)
    elif world.guard.seen is not None:
        yield guard_asks(world, decider)
    else:
        yield guard_looks(world)
    if world.faults:
        for fault in faults:
            for after in fault(world):
                yield after._replace(faults=world.faults - 1)


def whole_tick(world: World) -> World:
    """The guard finishes the tick it is in, or makes a whole one."""
    if world.guard.decision is None:
        if world.guard.seen is None:
            world = guard_looks(world)
        if world.guard.seen is not None:
            world = guard_asks(world)
    if world.guard.decision is not None:
        after, outcome = guard_acts(world)
        world = guard_settles(world, after, outcome)
    return world


def fair_round(world: World) -> World:
    """A second or two in which everybody who can does their work and nothing breaks."""
    for _ in range(2):
        for index in (0, 1):
            world = grow_old(world, index) or world
            world = keeper(world, index) or world
        world = stream(world) or world
        world = stream(world) or world
    return whole_tick(world)
