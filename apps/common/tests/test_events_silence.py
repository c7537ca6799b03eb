"""A consumer that the broker has forgotten finds out, and connects anew."""

import pytest
from pika.channel import Channel
from structlog.testing import capture_logs
from support.events import consuming, numbers, wait_for
from tandem_common.events import silence
from tandem_common.events.silence import LOOK_SECONDS, Silence
from test_events_consumer import MADE, empty, put

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


def test_lost_acknowledgements_do_not_stop_a_consumer(broker, events, keeper, monkeypatch):
    """The broker then waits for them, and gives nothing more to this connection."""
    monkeypatch.setattr(silence, "LOOK_SECONDS", 0.3)
    acknowledge, lost = Channel.basic_ack, []

    def lose(channel, tag):
        if len(lost) < keeper.broker_prefetch:
            lost.append(tag)
        else:
            acknowledge(channel, tag)

    monkeypatch.setattr(Channel, "basic_ack", lose)
    count = keeper.broker_prefetch + 3
    for number in range(count):
        put(broker, number)
    with capture_logs() as lines, consuming(keeper):
        wait_for(lambda: len(numbers(events)) == count, "all of them")
        wait_for(lambda: empty(broker, MADE), "their acknowledgements")
    assert numbers(events) == list(range(count)), "once each"
    reasons = [line["reason"] for line in lines if line["event"] == "leaving the broker's node"]
    assert reasons == [f"messages wait in {MADE}, but none comes"]
