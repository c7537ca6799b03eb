"""The decisions of the stall guard: observations in, decision out.

Nothing here reads a clock, a database or a file; what is done about a stall, and why in that order, is in `stall`,
and what about a hung primary in `hung`.
"""

from __future__ import annotations

from dataclasses import replace

from .decisions import Decision, Kind, Outcome, Result
from .hung import after_request, consider_failover
from .memory import Limits, Memory, Streams, continued, forget_streams, forget_target
from .observations import Answer, MonitorView, Node, Phase, Reading, Unanswered, pair_to_watch
from .stall import close, degrade_again, finish, gone, promoted, resync, waits_for, watch


def decide(
    limits: Limits, memory: Memory, view: MonitorView, answer: Answer, now: float
) -> tuple[Memory, Decision | None]:
    """Return the new memory and what to do now, if anything.

    `now` is the time at which `answer` arrived, in seconds on any clock that only goes forward.
    """
    pair = pair_to_watch(view)
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
    return memory if outcome.result is Result.REFUSED else forget_target(memory)


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
        and waits_for(standby, reading)
        and standby.is_("secondary")
    )
    return replace(memory, streams=streams, in_step_at=now if in_step else None)


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
        return memory, watch(limits, pair, reading, stalled, now - (absent or now))
    if view.node(marker.standby) is None:
        return memory, gone(primary, standby, marker)
    if marker.standby == primary.name:
        return memory, promoted(pair, marker, stalled and reading.sync_on)
    if standby.priority > 0:
        return memory, close(pair)
    if standby.quorum is not (marker.phase is Phase.RESYNC):
        return memory, degrade_again(pair, marker, "the quorum was changed by someone else")
    if marker.phase is Phase.DEGRADED:
        return memory, resync(limits, memory.streams, pair, marker, reading, now)
    if stalled:
        return memory, degrade_again(pair, marker, "it does not stream")
    return finish(memory, pair, marker, reading)
