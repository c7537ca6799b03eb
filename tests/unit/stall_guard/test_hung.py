"""When a hung primary is given up, and above all when not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from guard_samples import ALONE, IN_STEP, LIMITS, STALLED, play, view
from stall_guard.core import decide, settle
from stall_guard.decisions import Kind, Outcome, RequestFailover, Result
from stall_guard.memory import Memory
from stall_guard.observations import HEALTH_BAD, Marker, Phase, Refused, Unanswered

HUNG = {"health": HEALTH_BAD, "age": 4.0, "wal_age": 12.0}
ASKED = 102.0


def hang(primary=None, standby=None, seconds=12.0, before=IN_STEP, limits=LIMITS, start=ASKED, **values):
    """A pair in step for two seconds, then no answer for `seconds`."""
    memory, _ = play(view(), before, 1)
    return no_answer(memory, view(HUNG | (primary or {}), standby, **values), seconds, limits, start)


def no_answer(memory, seen, seconds, limits=LIMITS, start=ASKED):
    """Every attempt takes 2.5 s; returns at the first decision."""
    now, decision = start, None
    while now < start + seconds and decision is None:
        asked, now = now, now + 2.5
        memory, decision = decide(limits, memory, seen, Unanswered(asked), now)
    return memory, decision


def test_a_hung_primary_is_failed_over():
    _, decision = hang()
    assert decision.kind is Kind.FAILOVER
    assert decision.steps == (RequestFailover(0),)
    assert (decision.primary, decision.standby) == ("msk", "spb")
    assert "10.0 s" in decision.event


@pytest.mark.parametrize(
    ("given"),
    [
        pytest.param({"seconds": 7.0}, id="too short"),
        pytest.param({"limits": replace(LIMITS, hung=0.0)}, id="turned off"),
        pytest.param({"before": STALLED}, id="the standby did not stream before"),
        pytest.param({"before": ALONE}, id="commits did not wait before"),
        pytest.param({"before": replace(IN_STEP, synchronous=False)}, id="commits waited for another"),
        pytest.param({"before": Refused("no")}, id="the primary could not be read before"),
        pytest.param({"start": 108.0}, id="last seen in step too long ago"),
        pytest.param({"primary": {"health": 1}}, id="the monitor reaches it"),
        pytest.param({"primary": {"health": -1}}, id="the monitor has not checked it"),
        pytest.param({"primary": {"age": 6.0}}, id="its keeper is silent: the monitor's own task"),
        pytest.param({"primary": {"wal_age": 1.0}}, id="its keeper reaches its Postgres: only we do not"),
        pytest.param({"primary": {"assigned": "apply_settings"}}, id="it applies settings"),
        pytest.param({"standby": {"health": 0}}, id="the standby is not healthy"),
        pytest.param({"standby": {"age": 3.0}}, id="the standby's keeper is silent"),
        pytest.param({"standby": {"quorum": False}}, id="commits do not wait for the standby"),
        pytest.param({"standby": {"priority": 0}}, id="the standby is not a candidate"),
        pytest.param({"standby": {"reported": "catchingup"}}, id="the standby is not a secondary"),
        pytest.param({"marker": Marker("spb", "msk", Phase.RESYNC, 50)}, id="the standby is set aside"),
        pytest.param({"failover_age": 119.0}, id="a failover was requested a short while ago"),
    ],
)
def test_a_primary_is_left_alone(given):
    assert hang(**given)[1] is None


def test_a_guard_that_was_restarted_during_the_hang_does_nothing():
    assert no_answer(Memory(), view(HUNG), 60.0)[1] is None


@pytest.mark.parametrize("answer", [IN_STEP, Refused("starting up")])
def test_any_answer_ends_the_episode(answer):
    memory, _ = hang(seconds=7.0)
    memory, _ = play(view(), answer, 0, memory, start=110.0)
    assert memory.hang is None


def test_a_second_episode_needs_its_own_time():
    memory, _ = hang(seconds=7.0)
    memory, _ = play(view(), IN_STEP, 0, memory, start=110.0)
    assert no_answer(memory, view(HUNG), 7.0, start=111.0)[1] is None


def test_a_failover_is_requested_once_in_an_episode():
    memory, decision = hang()
    memory = settle(memory, decision, Outcome(Result.DONE), 112.0)
    assert no_answer(memory, view(HUNG), 600.0, start=112.0)[1] is None


@pytest.mark.parametrize("result", [Result.REFUSED, Result.UNKNOWN])
def test_a_request_that_was_not_carried_out_is_repeated_after_growing_pauses(result):
    memory, decision = hang()
    now, pauses = 112.0, []
    for _ in range(7):
        memory = settle(memory, decision, Outcome(result, "deadlock"), now)
        pauses.append(memory.hang.not_before - now)
        assert no_answer(memory, view(HUNG), pauses[-1] - 3.0, start=now)[1] is None
        again, decision = no_answer(memory, view(HUNG), pauses[-1] + 5.0, start=now)
        now, memory = again.read_at, again
    assert pauses == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_a_request_of_unknown_outcome_is_not_repeated_when_the_log_has_it():
    memory, decision = hang()
    memory = settle(memory, decision, Outcome(Result.UNKNOWN, "connection lost"), 112.0)
    assert no_answer(memory, view(HUNG, failover_age=11.0), 60.0, start=112.0)[1] is None
