"""Which queues are asked about, and when one is stuck; test_events_consumer.py has a consumer that finds out."""

import pytest
from tandem_common.events.silence import LOOK_SECONDS, Silence

QUEUE = "keeper:thing.made"


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def quiet(now):
    return Silence([QUEUE], lambda: now[0])


def later(now, looks=1):
    now[0] += looks * LOOK_SECONDS


def test_only_silent_queues_are_asked_about(quiet, now):
    assert quiet.silent() == []
    later(now)
    assert quiet.silent() == [QUEUE]
    quiet.delivered(QUEUE)
    later(now, 9)
    assert quiet.silent() == [], "a message in hand"
    quiet.answered(QUEUE)
    assert quiet.silent() == []
    later(now)
    assert quiet.silent() == [QUEUE]


def test_messages_must_wait_at_two_looks(quiet, now):
    later(now)
    assert not quiet.counted(QUEUE, 3)
    later(now)
    assert quiet.counted(QUEUE, 3)


def test_an_empty_queue_is_not_stuck(quiet, now):
    for waiting in (0, 3, 0, 3, 0):
        later(now)
        assert not quiet.counted(QUEUE, waiting)


def test_what_came_between_two_looks_counts(quiet, now):
    later(now)
    assert not quiet.counted(QUEUE, 3)
    quiet.delivered(QUEUE)
    assert not quiet.counted(QUEUE, 3), "a message in hand"
    later(now)
    quiet.answered(QUEUE)
    assert not quiet.counted(QUEUE, 3), "one came meanwhile"
    later(now)
    assert quiet.counted(QUEUE, 3)
