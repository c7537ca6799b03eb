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
from .memory import Limits, Memory, Streams, continued, forget_streams, forget_target
from .observations import Answer, Marker, MonitorView, Node, Phase, Reading, Unanswered, pair_to_watch


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
        return memory, _promoted(pair, marker, stalled and reading.sync_on)
    if standby.priority > 0:
        return memory, _close(pair)
    if standby.quorum is not (marker.phase is Phase.RESYNC):
        return memory, _degrade_again(pair, marker, "the quorum was changed by someone else")
    if marker.phase is Phase.DEGRADED:
        return memory, _resync(limits, memory.streams, pair, marker, reading, now)
    if stalled:
        return memory, _degrade_again(pair, marker, "it does not stream")
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
    since = f"{standby.name} has not streamed from {primary.name} for {seconds:.1f} s"
    return _set_aside(pair, since)


def _set_aside(pair: tuple[Node, Node], why: str) -> Decision:
    """Stop waiting for the standby, and before that keep it from ever being promoted.

    The monitor refuses a second change while the primary has reported ``apply_settings`` and not yet more. The keeper
    can be held up there for as long as the link is cut, so then the quorum has to follow in the next transaction:
    priority 0 with the quorum on is just what a resync looks like, and the guard goes on from there.
    """
    primary, standby = pair
    close = SetPriority(standby.name, 0)
    if primary.reported == "apply_settings":
        event = f"{why}: its priority goes from {standby.priority} to 0 first, the primary applies settings just now"
        marker = PlaceMarker(standby.name, primary.name, standby.priority, Phase.RESYNC)
        return Decision(Kind.DEGRADE, primary.name, standby.name, event, (close, marker))
    event = f"{why}: its priority goes from {standby.priority} to 0 and commits no longer wait for it"
    marker = PlaceMarker(standby.name, primary.name, standby.priority)
    steps = (close, SetQuorum(standby.name, False), marker)
    return Decision(Kind.DEGRADE, primary.name, standby.name, event, steps)


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
        return forget_target(memory), None
    if streams.target is None or streams.unchanged != standby.changed:
        # From here on everything acknowledged is on the standby; what came before lies before this position. The
        # monitor can't let the primary go on alone again without changing the standby's state.
        target = replace(streams, target=reading.position, unchanged=standby.changed)
        return replace(memory, streams=target), None
    if reading.flushed < streams.target:
        return memory, None
    decision = Decision(
        Kind.NORMAL,
        primary.name,
        standby.name,
        f"{standby.name} is synchronous and has every acknowledged write: "
        f"its priority is {marker.priority} again",
        (SetPriority(standby.name, marker.priority), RemoveMarker(standby.name, marker.phase)),
        unchanged=standby.changed,
    )
    return memory, decision


def _degrade_again(pair: tuple[Node, Node], marker: Marker, reason: str) -> Decision:
    primary, standby = pair
    return Decision(
        Kind.DEGRADE_AGAIN,
        primary.name,
        standby.name,
        f"commits do not wait for {standby.name} any more, {reason}",
        (SetQuorum(standby.name, False), MoveMarker(standby.name, marker.phase, Phase.DEGRADED)),
    )


def _close(pair: tuple[Node, Node]) -> Decision:
    primary, standby = pair
    return Decision(
        Kind.CLOSE,
        primary.name,
        standby.name,
        f"{standby.name} was made a candidate although it lacks writes that {primary.name} has: its priority is 0",
        (SetPriority(standby.name, 0),),
    )


def _promoted(pair: tuple[Node, Node], marker: Marker, stalled: bool) -> Decision | None:
    """Give the settings back to a standby that a human has made the primary.

    Changing any setting moves the primary to ``apply_settings``, where the monitor may fail over to the other node.
    So that node must either have all writes (the primary has reported ``primary`` since) or be no secondary yet.
    Between the two it can be cut off again, and commits wait for it: then it is set aside in its turn.
    """
    primary, standby = pair
    give_back = (
        SetPriority(primary.name, marker.priority),
        SetQuorum(primary.name, True),
        RemoveMarker(primary.name, marker.phase),
    )
    if primary.reported == "primary" or (primary.is_("wait_primary") and standby.assigned != "secondary"):
        event = f"{primary.name} is the primary now: its priority is {marker.priority} again, and it is in the quorum"
        return Decision(Kind.PROMOTED, primary.name, standby.name, event, give_back)
    if not (stalled and standby.is_("secondary") and standby.quorum):
        return None
    event = f"{primary.name} is the primary now, and {standby.name} has been cut off while it rejoined: "
    aside = (
        SetPriority(standby.name, 0),
        *give_back,
        PlaceMarker(standby.name, primary.name, standby.priority, Phase.RESYNC),
    )
    return Decision(Kind.DEGRADE, primary.name, standby.name, event + "its priority goes to 0", aside)


def _gone(primary: Node, standby: Node, marker: Marker) -> Decision:
    return Decision(
        Kind.GONE,
        primary.name,
        standby.name,
        f"{marker.standby} is no longer registered: its marker is removed",
        (RemoveMarker(marker.standby, marker.phase),),
    )
