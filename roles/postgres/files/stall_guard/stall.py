"""What is done about a stall, and how a standby that was set aside comes back.

The order in which settings change is what keeps acknowledged writes safe, so it is written down once, here:

- normal -> degraded: candidate priority 0, quorum off and the marker in ONE transaction. From its commit on
  the monitor cannot promote the standby, and only after it can the primary learn that it may commit alone.
- degraded -> resync: the standby has streamed for a while and is near: quorum on, priority still 0.
- resync -> normal: commits wait for the standby, and it has flushed past a position that was read from the
  primary *after* they did. Only now is it promotable again. The keeper's own check of the same thing is not
  enough: in 2.2 it can be satisfied by a position remembered from an earlier, interrupted attempt.
"""

from __future__ import annotations

from dataclasses import replace

from .decisions import Decision, Kind, MoveMarker, PlaceMarker, RemoveMarker, SetPriority, SetQuorum
from .memory import Limits, Memory, Streams, forget_target
from .observations import Marker, Node, Phase, Reading


def waits_for(standby: Node, reading: Reading) -> bool:
    """Return whether commits wait for this standby, and it is there to be waited for."""
    return reading.sync_on and reading.streaming and reading.synchronous and standby.quorum


def watch(
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
    return set_aside(pair, since)


def set_aside(pair: tuple[Node, Node], why: str) -> Decision:
    """Stop waiting for the standby, and before that keep it from ever being promoted.

    The monitor refuses a second change while the primary has reported ``apply_settings`` and not yet more. The keeper
    can be held up there for as long as the link is cut, so then the quorum has to follow in the next transaction:
    priority 0 with the quorum on is just what a resync looks like, and the guard goes on from there.
    """
    primary, standby = pair
    not_promotable = SetPriority(standby.name, 0)
    if primary.reported == "apply_settings":
        event = f"{why}: its priority goes from {standby.priority} to 0 first, the primary applies settings just now"
        marker = PlaceMarker(standby.name, primary.name, standby.priority, Phase.RESYNC)
        return Decision(Kind.DEGRADE, primary.name, standby.name, event, (not_promotable, marker))
    event = f"{why}: its priority goes from {standby.priority} to 0 and commits no longer wait for it"
    marker = PlaceMarker(standby.name, primary.name, standby.priority)
    steps = (not_promotable, SetQuorum(standby.name, False), marker)
    return Decision(Kind.DEGRADE, primary.name, standby.name, event, steps)


def resync(
    limits: Limits,
    streams: Streams,
    pair: tuple[Node, Node],
    marker: Marker,
    reading: Reading,
    now: float,
) -> Decision | None:
    """Let commits wait for the standby again, once it has streamed for a while and is near."""
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


def finish(
    memory: Memory, pair: tuple[Node, Node], marker: Marker, reading: Reading
) -> tuple[Memory, Decision | None]:
    """Give the priority back once the standby has everything that was ever acknowledged without it."""
    primary, standby = pair
    streams = memory.streams
    in_place = primary.is_("primary") and standby.is_("secondary") and waits_for(standby, reading)
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


def degrade_again(pair: tuple[Node, Node], marker: Marker, reason: str) -> Decision:
    """Stop waiting for a standby whose priority is 0 already."""
    primary, standby = pair
    return Decision(
        Kind.DEGRADE_AGAIN,
        primary.name,
        standby.name,
        f"commits do not wait for {standby.name} any more, {reason}",
        (SetQuorum(standby.name, False), MoveMarker(standby.name, marker.phase, Phase.DEGRADED)),
    )


def close(pair: tuple[Node, Node]) -> Decision:
    """Take the priority back that someone gave to a standby that lacks writes, while its primary lives."""
    primary, standby = pair
    return Decision(
        Kind.CLOSE,
        primary.name,
        standby.name,
        f"{standby.name} was made a candidate although it lacks writes that {primary.name} has: its priority is 0",
        (SetPriority(standby.name, 0),),
    )


def promoted(pair: tuple[Node, Node], marker: Marker, stalled: bool) -> Decision | None:
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


def gone(primary: Node, standby: Node, marker: Marker) -> Decision:
    """Remove the marker of a standby that is no longer registered."""
    return Decision(
        Kind.GONE,
        primary.name,
        standby.name,
        f"{marker.standby} is no longer registered: its marker is removed",
        (RemoveMarker(marker.standby, marker.phase),),
    )
