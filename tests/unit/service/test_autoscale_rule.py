"""How many instances a metric calls for."""

import math

import pytest
from ansible_collections.tandem.platform.plugins.module_utils.autoscale_rule import (
    CALM_SECONDS,
    Decision,
    Rule,
    decide,
)

RULE = Rule(1, 4, 50.0)


@pytest.mark.parametrize(
    ("running", "value", "wanted"),
    [
        (1, 0, 1),
        (1, 50, 1),
        (1, 51, 2),
        (1, 180, 4),
        (2, 10_000, 4),
        (4, 10_000, 4),
        (3, 101, 3),
    ],
)
def test_goes_up_at_once_and_never_above_the_most(running, value, wanted):
    assert decide(RULE, running, value, None, 0.0).instances == wanted


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0])
def test_what_is_not_known_changes_nothing(value):
    assert decide(RULE, 3, value, 0.0, CALM_SECONDS * 9) == Decision(3, None)


@pytest.mark.parametrize("value", [None, 0, 60])
def test_stays_within_its_bounds(value):
    rule = Rule(2, 3, 100.0)
    assert decide(rule, 0, value, None, 0.0).instances == 2
    assert decide(rule, 9, value, None, 0.0).instances == 3


def test_never_goes_below_the_least():
    assert decide(Rule(2, 4, 50.0), 2, 0, 0.0, CALM_SECONDS * 9) == Decision(2, None)


def test_goes_down_by_one_after_a_calm_time_and_then_waits_again():
    first = decide(RULE, 4, 10, None, 100.0)
    assert first == Decision(4, 100.0)
    assert decide(RULE, 4, 10, first.calm_since, 99.9 + CALM_SECONDS) == Decision(4, 100.0)
    second = decide(RULE, 4, 10, first.calm_since, 100.0 + CALM_SECONDS)
    assert second == Decision(3, 100.0 + CALM_SECONDS)
    assert decide(RULE, 3, 10, second.calm_since, 110.0 + CALM_SECONDS).instances == 3


def test_a_busy_moment_begins_the_calm_time_anew():
    assert decide(RULE, 2, 40, 0.0, CALM_SECONDS) == Decision(2, None)


def test_between_up_and_down_there_is_a_gap():
    # Just enough for one is not little enough to stop the second: it would be started again at the next request.
    assert decide(RULE, 2, 50, 0.0, CALM_SECONDS) == Decision(2, None)
    assert decide(RULE, 2, 35, 0.0, CALM_SECONDS).instances == 1


@pytest.mark.parametrize("value", [20, 49, 90, 130, 170, 260])
def test_a_steady_value_comes_to_rest(value):
    running, calm, now, seen = 1, None, 0.0, []
    for _ in range(200):
        decision = decide(RULE, running, value, calm, now)
        running, calm, now = decision.instances, decision.calm_since, now + 12
        seen.append(running)
    assert len(set(seen[100:])) == 1
