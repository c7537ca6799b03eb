"""The loop: what it reads, what it says, and how long it takes to act in each timeout profile."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest
from guard_samples import ASIDE, IN_STEP, LIMITS, RESYNC, STALLED, WAITED_FOR, view
from stall_guard.decisions import Kind, Outcome, Result
from stall_guard.memory import Limits
from stall_guard.observations import HEALTH_BAD, Refused, Unanswered
from stall_guard.runner import Runner, run


class FakeMonitor:
    """Shows `seen`, or fails with it; applies every decision unless `outcome` says otherwise."""

    def __init__(self, seen=None) -> None:
        self.seen = view() if seen is None else seen
        self.after = view({"assigned": "apply_settings"}, ASIDE)
        self.outcome = None
        self.pause = 0.0
        self.reads = self.closed = 0
        self.applied = []
        self.clock = None

    def read(self):
        self.reads += 1
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen

    def apply(self, decision, doubt):
        self.clock.now += self.pause
        reason = doubt(self.after)
        if reason:
            return Outcome(Result.REFUSED, reason)
        if self.outcome is None:
            self.applied.append(decision)
        return self.outcome or Outcome(Result.DONE)

    def close(self) -> None:
        self.closed += 1


class FakePrimary:
    def __init__(self, answer) -> None:
        self.answer = answer
        self.asked = []

    def ask(self, primary, standby):
        self.asked.append((primary.name, standby.name))
        return self.answer() if callable(self.answer) else self.answer

    def close(self) -> None:
        raise AssertionError("nobody closes it here")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A runner with everything around it faked; `lines` is what it said."""

    def __init__(self, seen=None, answer=IN_STEP, limits=LIMITS) -> None:
        self.clock = Clock()
        self.monitor = FakeMonitor(seen)
        self.monitor.clock = self.clock
        self.primary = FakePrimary(answer)
        self.lines = []
        self.told = []
        self.runner = Runner(limits, self.monitor, self.primary, self.clock, self.write, self.told.append)

    def write(self, level, event, message, **details) -> None:
        self.lines.append((level, event, message))

    def ticks(self, count: int, tick: float = 1.0):
        for _ in range(count):
            outcome = self.runner.tick()
            if outcome is not None:
                return outcome
            self.clock.now += tick
        return None

    def events(self):
        return [event for _, event, _ in self.lines]


def test_a_quiet_pair_is_watched_without_a_word():
    bench = Bench()
    assert bench.ticks(20) is None
    assert bench.lines == []
    assert bench.primary.asked == [("msk", "spb")] * 20


def test_the_guard_starts_before_its_monitor_and_says_so_once():
    bench = Bench(psycopg2.OperationalError("connection refused\nIs the server running?"))
    bench.ticks(5)
    assert bench.lines == [("warning", "monitor_not_fine", "connection refused")]
    assert bench.monitor.closed == 5
    assert bench.primary.asked == []
    bench.monitor.seen = view()
    bench.ticks(2)
    assert bench.events() == ["monitor_not_fine", "monitor_fine"]


def test_a_primary_that_cannot_be_read_is_told_once_by_reason():
    bench = Bench(answer=Refused("password authentication failed"))
    bench.ticks(3)
    bench.primary.answer = IN_STEP
    bench.ticks(3)
    assert bench.lines[0][2] == "msk: password authentication failed"
    assert bench.events() == ["primary_not_fine", "primary_fine"]


def test_a_group_that_the_guard_cannot_help_is_told():
    bench = Bench(view(sync_standbys=1))
    bench.ticks(3)
    assert bench.events() == ["group_not_fine"]
    assert bench.primary.asked == []


def test_an_action_is_told_with_its_reason():
    bench = Bench(answer=STALLED)
    assert bench.ticks(10).result is Result.DONE
    assert bench.monitor.applied[0].kind is Kind.DEGRADE
    level, event, message = bench.lines[0]
    assert (level, event) == ("notice", "degraded")
    assert "spb has not streamed from msk" in message


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        (Outcome(Result.REFUSED, "deadlock detected"), "degraded_refused"),
        (Outcome(Result.UNKNOWN, "connection lost"), "degraded_unknown"),
    ],
)
def test_an_action_that_failed_is_told_and_tried_again(outcome, event):
    bench = Bench(answer=STALLED)
    bench.monitor.outcome = outcome
    assert bench.ticks(10) == outcome
    assert outcome.reason in bench.lines[0][2]
    assert bench.events() == [event]
    bench.monitor.outcome = None
    bench.clock.now += 1.0
    assert bench.ticks(1).result is Result.DONE


def test_an_action_whose_ground_has_shifted_is_rolled_back():
    bench = Bench(answer=STALLED)
    bench.monitor.after = view({"assigned": "draining"}, ASIDE)
    assert "no longer leads" in bench.ticks(10).reason
    assert bench.monitor.applied == []


def test_a_guard_that_was_stopped_before_its_transaction_looks_again():
    bench = Bench(answer=STALLED)
    bench.monitor.pause = 30.0
    assert "30.0 s ago" in bench.ticks(10).reason


def test_a_killed_guard_goes_on_from_the_marker():
    """A new process knows nothing but the monitor's rows, and that is enough."""
    bench = Bench(view({}, WAITED_FOR, RESYNC))
    bench.monitor.after = view({"assigned": "apply_settings"})
    assert bench.ticks(5).result is Result.DONE
    assert bench.monitor.applied[0].kind is Kind.NORMAL


def hung_view():
    return view({"health": HEALTH_BAD, "age": 4.0, "wal_age": 60.0})


def test_a_hung_primary_is_decided_on_a_fresh_reading_of_the_monitor():
    bench = Bench()
    bench.ticks(2)
    reads = bench.monitor.reads

    def silence():
        bench.clock.now += 2.5
        return Unanswered(bench.clock.now - 2.5)

    bench.primary.answer = silence
    bench.monitor.seen = hung_view()
    gone = {"health": HEALTH_BAD, "wal_age": 60.0, "assigned": "draining"}
    bench.monitor.after = view(gone, {"assigned": "prepare_promotion"})
    outcome = bench.ticks(20, tick=0.05)
    assert outcome.result is Result.DONE
    assert bench.monitor.applied[0].kind is Kind.FAILOVER
    ticks = len(bench.primary.asked) - 2
    assert bench.monitor.reads - reads == 2 * ticks


def test_silence_counts_for_nothing_when_another_node_leads_by_then():
    bench = Bench()
    bench.ticks(2)
    swapped = view({"name": "spb", "id": 2}, {"name": "msk", "id": 1})
    views = iter([view(), swapped])
    bench.monitor.read = lambda: next(views)
    bench.primary.answer = Unanswered(bench.clock.now)
    assert bench.ticks(1) is None


@pytest.mark.parametrize(
    ("profile", "wal_sender_timeout", "earliest", "latest"),
    [("fast", 3.0, 7.0, 9.0), ("normal", 5.0, 9.0, 11.0)],
)
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.6, 0.9])
def test_a_cut_of_the_link_is_answered_in_time(profile, wal_sender_timeout, earliest, latest, phase):
    """From the cut to the guard's commit: the sender's timeout, the guard's own wait, and up to a tick for each."""
    cut = 20.0 + phase
    bench = Bench()
    bench.primary.answer = lambda: STALLED if bench.clock.now >= cut + wal_sender_timeout else IN_STEP
    assert bench.ticks(60, tick=1.02).result is Result.DONE
    assert earliest <= bench.clock.now - cut <= latest


def test_a_wider_limit_is_kept():
    bench = Bench(answer=STALLED, limits=replace(Limits(), stall=8.0))
    assert bench.ticks(8) is None
    assert bench.ticks(2).result is Result.DONE


@pytest.mark.parametrize(
    ("seen", "answer", "words"),
    [
        (view(), IN_STEP, "watching: spb streams from msk"),
        (view(), STALLED, "watching: spb does not stream from msk"),
        (view(), Refused("no"), "watching: msk cannot be read"),
        (view({"assigned": "draining"}), IN_STEP, "watching: no pair of a primary and its standby"),
        (
            view({}, WAITED_FOR, RESYNC),
            IN_STEP,
            "DEGRADED (resync): spb is set aside, the platform runs on one copy",
        ),
        (psycopg2.OperationalError("no"), IN_STEP, "the monitor cannot be read"),
    ],
)
def test_the_state_is_told_in_a_sentence(seen, answer, words):
    bench = Bench(seen, answer)
    bench.ticks(1)
    assert bench.told == [f"STATUS={words}"]


def test_the_loop_tells_the_service_manager(monkeypatch):
    told = []
    monkeypatch.setattr("stall_guard.runner.notify", told.append)
    bench = Bench(psycopg2.OperationalError("no"))
    left = iter([True, True, False])
    run(bench.runner, 0.0, lambda: next(left))
    assert told == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
