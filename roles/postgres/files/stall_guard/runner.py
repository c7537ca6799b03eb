"""The loop: read the monitor, ask the primary, decide, act."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg2

from .confirm import doubt
from .core import decide, settle
from .database import first_line
from .decisions import Decision, Outcome, Result
from .journal import Changes, notify, say
from .memory import Limits, Memory, forget_streams
from .monitor import MonitorLike
from .observations import Answer, MonitorView, NotAsked, Refused, Unanswered, describe, pair_to_watch, remark
from .primary import PrimaryLike

LONGEST_THOUGHT = 2.0
"""Seconds between reading the monitor and acting on it: a guard that was stopped in between looks again."""
SHORTEST_PAUSE = 0.05
"""Seconds between two ticks, however long the first one took."""


class Runner:
    """One guard for one formation."""

    def __init__(
        self,
        limits: Limits,
        monitor: MonitorLike,
        primary: PrimaryLike,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[..., None] = say,
        tell: Callable[[str], None] = notify,
    ) -> None:
        self._limits = limits
        self._monitor = monitor
        self._primary = primary
        self._clock = clock
        self._write = write
        self._tell = tell
        self._changes = Changes(write)
        self._memory = Memory()
        self._read_at = 0.0

    def tick(self) -> Outcome | None:
        """Look once and act at most once; returns how the action ended, None when there was none."""
        try:
            view, answer = self._look()
        except psycopg2.Error as error:
            self._changes.report("monitor", first_line(error))
            self._tell("STATUS=the monitor cannot be read")
            self._monitor.close()
            self._memory = forget_streams(self._memory)
            return None
        self._changes.fine("monitor")
        self._say_what_is_odd(view)
        self._tell(f"STATUS={describe(view, answer)}")
        self._memory, decision = decide(self._limits, self._memory, view, answer, self._clock())
        return None if decision is None else self._act(decision)

    def _look(self) -> tuple[MonitorView, Answer]:
        view = self._read()
        pair = pair_to_watch(view)
        if pair is None:
            return view, NotAsked()
        answer = self._primary.ask(*pair)
        self._say_how_it_answered(pair[0].name, answer)
        if not isinstance(answer, Unanswered):
            return view, answer
        # Waiting in vain took seconds: what is decided now must rest on the monitor's rows of now.
        view = self._read()
        again = pair_to_watch(view)
        same = again is not None and again[0].id == pair[0].id
        return view, answer if same else NotAsked()

    def _read(self) -> MonitorView:
        self._read_at = self._clock()
        return self._monitor.read()

    def _say_how_it_answered(self, name: str, answer: Answer) -> None:
        if isinstance(answer, Unanswered):
            self._changes.report("primary", f"{name} gives no answer")
        elif isinstance(answer, Refused):
            self._changes.report("primary", f"{name}: {answer.reason}")
        else:
            self._changes.fine("primary")

    def _say_what_is_odd(self, view: MonitorView) -> None:
        odd = remark(view)
        if odd is None:
            self._changes.fine("group")
        else:
            self._changes.report("group", odd)

    def _act(self, decision: Decision) -> Outcome:
        outcome = self._monitor.apply(decision, lambda view: self._doubt(decision, view))
        self._memory = settle(self._memory, decision, outcome, self._clock())
        names = {"standby": decision.standby, "primary": decision.primary}
        if outcome.result is Result.DONE:
            self._write("notice", decision.kind, decision.event, **names)
        else:
            message = f"not done ({outcome.result}), {outcome.reason}: {decision.event}"
            self._write("warning", f"{decision.kind}_{outcome.result}", message, **names)
        return outcome

    def _doubt(self, decision: Decision, view: MonitorView) -> str | None:
        age = self._clock() - self._read_at
        if age > LONGEST_THOUGHT:
            return f"what it rests on was read {age:.1f} s ago"
        return doubt(self._limits, decision, view)


def run(runner: Runner, tick: float, going_on: Callable[[], bool] = lambda: True) -> None:
    """Tick every `tick` seconds; needs neither the monitor nor the primary to be there yet."""
    notify("READY=1")
    while going_on():
        started = time.monotonic()
        notify("WATCHDOG=1")
        runner.tick()
        time.sleep(max(SHORTEST_PAUSE, tick - (time.monotonic() - started)))
