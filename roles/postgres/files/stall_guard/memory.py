"""What the guard remembers between two ticks, and the limits it is given.

Every value is immutable, and losing all of it (a restart) is always safe: timers simply start again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LONGEST_GAP = 6.0
"""Seconds between two readings after which the earlier one counts for nothing (the guard was stopped)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how far; seconds unless said otherwise."""

    stall: float = 4.0
    """Without a streaming standby before it is set aside."""
    resume: float = 3.0
    """Of uninterrupted streaming before commits wait for it again."""
    max_lag: int = 1 << 20
    """Bytes it may then be behind."""
    fresh: float = 3.0
    """Age up to which a keeper's report counts as "it reaches the monitor"."""
    hung: float = 10.0
    """A primary without an answer for this long is given up; 0: never."""


@dataclass(frozen=True, slots=True)
class Streams:
    """What successive readings of the primary add up to; times on the caller's clock."""

    absent_since: float | None = None
    present_since: float | None = None
    target: int | None = None
    """WAL position read while commits were waiting for the standby..."""
    unchanged: str = ""
    """...and the standby's last change of state at that time."""


@dataclass(frozen=True, slots=True)
class Hang:
    """One episode in which the primary gives no answer."""

    since: float
    was_in_step: bool
    """The last answer before it showed a synchronous, streaming standby."""
    requested: bool = False
    attempts: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything the guard remembers between two ticks; losing it (a restart) is always safe."""

    pair: tuple[str, str] | None = None
    read_at: float | None = None
    streams: Streams = Streams()
    in_step_at: float | None = None
    """When the primary last answered, if that answer showed a synchronous, streaming standby."""
    hang: Hang | None = None


def forget_target(memory: Memory) -> Memory:
    """Return the memory without the position that a resync waits for."""
    return replace(memory, streams=replace(memory.streams, target=None, unchanged=""))


def forget_streams(memory: Memory) -> Memory:
    """Return what stays known after a tick in which the monitor or the primary could not be read."""
    return replace(memory, streams=Streams())


def continued(memory: Memory, names: tuple[str, str], now: float) -> Memory:
    """Return the memory if it speaks of the same pair and is recent, else an empty one."""
    if memory.pair == names and memory.read_at is not None and now - memory.read_at <= LONGEST_GAP:
        return replace(memory, read_at=now)
    return Memory(pair=names, read_at=now)
