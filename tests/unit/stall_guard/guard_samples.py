"""Observations for the unit tests: a healthy pair, changed as each test needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stall_guard.core import decide
from stall_guard.decisions import Decision
from stall_guard.memory import Limits, Memory
from stall_guard.observations import Answer, Marker, MonitorView, Node, Phase, Reading

LIMITS = Limits()
PRIMARY = Node(1, "msk", "10.0.0.1", 5432, 0, "primary", "primary", 1, 50, True, 0.5, 0.5, 1000, "12:00")
STANDBY = Node(2, "spb", "10.0.0.2", 5432, 0, "secondary", "secondary", 1, 50, True, 0.5, 0.5, 1000, "12:00")
IN_STEP = Reading(False, False, True, True, True, 1000, 1000)
STALLED = replace(IN_STEP, streaming=False, synchronous=False, flushed=0)
ALONE = replace(STALLED, sync_on=False)
CATCHING_UP = replace(IN_STEP, sync_on=False, synchronous=False)
DEGRADED = Marker("spb", "msk", Phase.DEGRADED, 50)
RESYNC = Marker("spb", "msk", Phase.RESYNC, 50)
ASIDE = {"priority": 0, "quorum": False}
WAITED_FOR = {"priority": 0, "quorum": True}


def view(
    primary: dict[str, Any] | None = None,
    standby: dict[str, Any] | None = None,
    marker: Marker | None = None,
    **values: Any,
) -> MonitorView:
    """Return a reading of the monitor with some values of its two nodes changed."""
    nodes = (replace(PRIMARY, **primary or {}), replace(STANDBY, **standby or {}))
    return MonitorView(**{"nodes": nodes, "sync_standbys": 0, "marker": marker, **values})


def play(
    seen: MonitorView,
    answer: Answer,
    seconds: float,
    memory: Memory | None = None,
    limits: Limits = LIMITS,
    start: float = 100.0,
) -> tuple[Memory, Decision | None]:
    """Show the guard the same thing every second; return at the first decision or after `seconds`."""
    memory, decision = memory or Memory(), None
    for second in range(int(seconds) + 1):
        memory, decision = decide(limits, memory, seen, answer, start + second)
        if decision is not None:
            break
    return memory, decision
