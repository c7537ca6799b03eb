"""The decisions of the stall guard: observations in, decision out.

Nothing here reads a clock, a database or a file. The order in which settings change is what keeps
acknowledged writes safe, so it is written down once, here:

- normal -> degraded: candidate priority 0, quorum off and the marker in ONE transaction. From its commit on
  the monitor cannot promote the standby, and only after it can the primary learn that it may commit alone.
- degraded -> resync: the standby has streamed for a while and is near: quorum on, priority still 0.
- resync -> normal: commits wait for the standby, and it has flushed past a position that was read from the
  primary *after* they did. Only now is it promotable again. The keeper's own check of the same thing is not
  enough: in 2.2 it can be satisfied by a position remembered from an earlier, interrupted attempt.
"""

from __future__ import annotations

from dataclasses import replace

from .decisions import (
    Decision,
    Kind,
    MoveMarker,
    Outcome,
    PlaceMarker,
    RemoveMarker,
    Result,
    SetPriority,
    SetQuorum,
)
from .hung import after_request, consider_failover
from .memory import Limits, Memory, Streams, continued, forget_streams
from .observations import Answer, Marker, MonitorView, Node, Phase, Reading, Unanswered, leading_pair


def decide(
    limits: Limits, memory: Memory, view: MonitorView, answer: Answer, now: float
) -> tuple[Memory, Decision | None]:
    """Return the new memory and what to do now, if anything.

    `now` is the time at which `answer` arrived, in seconds on any clock that only goes forward.
    """
    pair = leading_pair(view)
    if pair is None:
        return Memory(), None
    primary, standby = pair
    memory = continued(memory, (primary.name, standby.name), now)
    if isinstance(answer, Unanswered):
        return consider_failover(limits, forget_streams(memory), view, pair, answer, now)
    memory = replace(memory, hang=None)
    if not isinstance(answer, Reading) or answer.in_recovery or answer.read_only:
        return replace(forget_streams(memory), in_step_at=None), None
    memory = _observed(memory, view, pair, answer, now)
    return _with_reading(limits, memory, view, pair, answer, now)


def settle(memory: Memory, decision: Decision, outcome: Outcome, now: float) -> Memory:
    """Return the memory after a decision's transaction has ended."""
    if decision.kind is Kind.FAILOVER and memory.hang is not None:
        return replace(memory, hang=after_request(memory.hang, outcome, now))
    return forget_streams(memory) if outcome.result is not Result.REFUSED else memory


def _observed(
    memory: Memory, view: MonitorView, pair: tuple[Node, Node], reading: Reading, now: float
) -> Memory:
    primary, standby = pair
    streams = memory.streams
    if reading.streaming:
        since = now if streams.present_since is None else streams.present_since
        streams = replace(streams, absent_since=None, present_since=since)
    else:
        since = now if streams.absent_since is None else streams.absent_since
        streams = Streams(absent_since=since)
    in_step = (
        view.marker is None
        and primary.is_("primary")
        and _waits_for(standby, reading)
        and standby.is_("secondary")
    )
    return replace(memory, streams=streams, in_step_at=now if in_step else None)


def _waits_for(standby: Node, reading: Reading) -> bool:
    return reading.sync_on and reading.streaming and reading.synchronous and standby.quorum


def _with_reading(
    limits: Limits,
    memory: Memory,
    view: MonitorView,
    pair: tuple[Node, Node],
    reading: Reading,
    now: float,
) -> tuple[Memory, Decision | None]:
    primary, standby = pair
    marker = view.marker
    absent = memory.streams.absent_since
    stalled = absent is not None and now - absent >= limits.stall
    if marker is None:
        return memory, _watch(limits, pair, reading, stalled, now - (absent or now))
    if view.node(marker.standby) is None:
        return memory, _gone(primary, standby, marker)
    if marker.standby == primary.name:
        return memory, _promoted(primary, standby, marker, reading, stalled)
    if standby.priority > 0 or standby.quorum is not (marker.phase is Phase.RESYNC):
        return memory, _degrade_again(primary, standby, marker, "its settings were changed by someone else")
    if marker.phase is Phase.DEGRADED:
        return memory, _resync(limits, memory.streams, pair, marker, reading, now)
    if stalled:
        return memory, _degrade_again(primary, standby, marker, "it stopped streaming during resync")
    return _finish(memory, pair, marker, reading)


def _watch(
    limits: Limits, pair: tuple[Node, Node], reading: Reading, stalled: bool, seconds: float
) -> Decision | None:
    """Set the standby aside, if commits wait for it in vain although both nodes reach the monitor.

    When the standby does not report, the monitor itself takes it out, and the guard must not interfere.
    """
    primary, standby = pair
    both_report = standby.age < limits.fresh and primary.age < limits.fresh
    if not (stalled and reading.sync_on and standby.is_("secondary") and standby.quorum and both_report):
        return None
    return Decision(
        Kind.DEGRADE,
        primary.name,
        standby.name,
        f"{standby.name} has not streamed from {primary.name} for {seconds:.1f} s: "
        f"its priority goes from {standby.priority} to 0 and commits no longer wait for it",
        (
            SetPriority(standby.name, 0),
            SetQuorum(standby.name, False),
            PlaceMarker(standby.name, primary.name, standby.priority),
        ),
    )


def _resync(
    limits: Limits,
    streams: Streams,
    pair: tuple[Node, Node],
    marker: Marker,
    reading: Reading,
    now: float,
) -> Decision | None:
    primary, standby = pair
    since = streams.present_since
    behind = reading.position - reading.flushed
    long_enough = since is not None and now - since >= limits.resume
    if not (primary.is_("primary") and standby.is_("secondary") and long_enough and behind <= limits.max_lag):
        return None
    return Decision(
        Kind.RESYNC,
        primary.name,
        standby.name,
        f"{standby.name} streams again, {behind} bytes behind: commits wait for it, its priority stays 0",
        (SetQuorum(standby.name, True), MoveMarker(standby.name, marker.phase, Phase.RESYNC)),
    )


def _finish(
    memory: Memory, pair: tuple[Node, Node], marker: Marker, reading: Reading
) -> tuple[Memory, Decision | None]:
    """Give the priority back once the standby has everything that was ever acknowledged without it."""
    primary, standby = pair
    streams = memory.streams
    in_place = primary.is_("primary") and standby.is_("secondary") and _waits_for(standby, reading)
    if not in_place:
        return replace(memory, streams=replace(streams, target=None)), None
    if streams.target is None:
        # From here on everything acknowledged is on the standby; what came before lies before this position.
        return replace(memory, streams=replace(streams, target=reading.position)), None
    if reading.flushed < streams.target:
        return memory, None
    decision = Decision(
        Kind.NORMAL,
        primary.name,
        standby.name,
        f"{standby.name} is synchronous and has every acknowledged write: "
        f"its priority is {marker.priority} again",
        (SetPriority(standby.name, marker.priority), RemoveMarker(standby.name, marker.phase)),
        priority=marker.priority,
    )
    return memory, decision


def _degrade_again(primary: Node, standby: Node, marker: Marker, reason: str) -> Decision:
    close = (SetPriority(standby.name, 0),) if standby.priority > 0 else ()
    return Decision(
        Kind.DEGRADE_AGAIN,
        primary.name,
        standby.name,
        f"{standby.name} is set aside again, {reason}: its priority is 0 and commits do not wait for it",
        (*close, SetQuorum(standby.name, False), MoveMarker(standby.name, marker.phase, Phase.DEGRADED)),
    )


def _promoted(
    primary: Node, standby: Node, marker: Marker, reading: Reading, stalled: bool
) -> Decision | None:
    """Give the settings back to a standby that a human has made the primary.

    They matter again only once the other node has rejoined. When it has, but the link broke at once, the
    marker must go as well: it would keep the guard from setting the other node aside.
    """
    rejoined = reading.streaming and (reading.synchronous or standby.is_("secondary"))
    if not (rejoined or (stalled and reading.sync_on)):
        return None
    return Decision(
        Kind.PROMOTED,
        primary.name,
        standby.name,
        f"{primary.name} is the primary now: its priority is {marker.priority} again, "
        "and it counts in the quorum",
        (
            SetPriority(primary.name, marker.priority),
            SetQuorum(primary.name, True),
            RemoveMarker(primary.name, marker.phase),
        ),
        priority=marker.priority,
    )


def _gone(primary: Node, standby: Node, marker: Marker) -> Decision:
    return Decision(
        Kind.GONE,
        primary.name,
        standby.name,
        f"{marker.standby} is no longer registered: its marker is removed",
        (RemoveMarker(marker.standby, marker.phase),),
    )
