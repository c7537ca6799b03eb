"""From the outbox to the broker: nothing lost, in order, whatever refuses or goes away."""

import json
import threading
import time
import uuid

import psycopg2
import pytest
from pika.exceptions import NackError
from prometheus_client import CollectorRegistry
from support.events import (
    DATABASE,
    ThingLost,
    ThingMade,
    ThingSold,
    ThingUnknown,
    relaying,
    say,
    settings,
    unsent,
    wait_for,
)
from tandem_common.events import publish
from tandem_common.events.outbox_session import OutboxSession

MADE = "keeper:thing.made"
SOLD = "keeper:thing.sold"


def taken(broker, queue, count):
    return [json.loads(broker.take(queue)[1]) for _ in range(count)]


def drain(broker, queue):
    """Bodies of all messages that are there."""
    bodies = []
    with broker.channel() as channel:
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            bodies.append(json.loads(got[2]))
    return bodies


def test_an_event_gets_to_every_queue_and_out_of_the_outbox(outbox, producer, broker, events):
    registry = CollectorRegistry()
    with relaying(producer, registry):
        say(outbox, ThingMade(number=7), subject="a")
        properties, body = broker.take(MADE)
        broker.take("watcher:thing.made")
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")
    event = json.loads(body)
    assert (event["type"], event["subject"], event["data"]["number"]) == ("thing.made", "a", 7)
    assert (properties.message_id, properties.type) == (event["id"], "thing.made")
    assert properties.content_type == "application/cloudevents+json"
    assert properties.delivery_mode == 2
    assert registry.get_sample_value("outbox_published_total") == 1
    assert registry.get_sample_value("outbox_oldest_seconds") < 1
    assert registry.get_sample_value("outbox_relay_leads") == 0


def test_it_is_woken_by_the_commit(outbox, producer, broker, events):
    with relaying(producer):
        wait_for(lambda: asleep(events), "the relay sleeps")
        started = time.monotonic()
        say(outbox, ThingMade(number=1))
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")
        # Much less than the interval in which it looks by itself.
        assert time.monotonic() - started < 0.7


def asleep(events):
    question = (
        "select count(*) from pg_locks where locktype = 'advisory' and granted and mode = 'ExclusiveLock'"
    )
    return events.execute(question)[0][0] == 2


def test_a_relay_does_not_sleep_beside_a_writer_that_does_not_notify(outbox, producer, broker, events):
    """It began while no relay slept, so its commit wakes nobody."""
    entered, leave = threading.Event(), threading.Event()

    def work(session):
        publish(session, ThingMade(number=1), subject="a")
        entered.set()
        leave.wait(10)

    writer = threading.Thread(target=outbox.transaction, args=(work,))
    writer.start()
    assert entered.wait(5)
    registry = CollectorRegistry()
    with relaying(producer, registry):
        wait_for(lambda: registry.get_sample_value("outbox_relay_leads") == 1, "the relay leads")
        time.sleep(0.5)
        assert not asleep(events)
        leave.set()
        writer.join()
        started = time.monotonic()
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")
        assert time.monotonic() - started < 0.7
        wait_for(lambda: asleep(events), "the relay sleeps")


def test_order_is_kept_per_subject(outbox, producer, broker, events):
    for number in range(60):
        say(outbox, ThingMade(number=number), subject=f"subject {number % 3}")
    with relaying(producer):
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")
    found = drain(broker, MADE)
    assert len(found) == 60
    for subject in range(3):
        mine = [event["data"]["number"] for event in found if event["subject"] == f"subject {subject}"]
        assert mine == list(range(subject, 60, 3))


def test_what_nobody_takes_holds_back_its_followers_only(outbox, producer, broker, events):
    say(
        outbox,
        ThingMade(number=1),
        ThingLost(number=2),
        ThingSold(number=3),
        ThingMade(number=4),
        subject="stuck",
    )
    say(outbox, ThingSold(number=5), ThingMade(number=6), subject="free")
    registry = CollectorRegistry()
    with relaying(producer, registry):
        wait_for(lambda: unsent(events) == 3, "what can be sent is sent")
        assert [event["data"]["number"] for event in drain(broker, MADE)] == [1, 6]
        assert [event["data"]["number"] for event in drain(broker, SOLD)] == [5]
        say(outbox, ThingSold(number=7), subject="free")
        assert taken(broker, SOLD, 1)[0]["data"]["number"] == 7
        assert unsent(events) == 3
        assert registry.get_sample_value("outbox_refused_total", {"type": "thing.lost"}) >= 1
        # As soon as somebody wants it, all goes on.
        with broker.channel() as channel:
            channel.queue_declare("finder", durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind("finder", "thing.lost")
        wait_for(lambda: unsent(events) == 0, "the rest is sent")
        with broker.channel() as channel:
            channel.queue_delete("finder")
    assert [event["data"]["number"] for event in drain(broker, SOLD)] == [3]
    assert [event["data"]["number"] for event in drain(broker, MADE)] == [4]


def test_a_missing_exchange_stops_nothing_else(outbox, producer, broker, events):
    """The broker closes the channel for it; other types have channels of their own."""
    registry = CollectorRegistry()
    with relaying(producer, registry):
        for number in range(0, 20, 2):
            say(outbox, ThingUnknown(number=number))
            say(outbox, ThingMade(number=number + 1))
        wait_for(lambda: unsent(events) == 10, "what can be sent is sent")
        assert [event["data"]["number"] for event in drain(broker, MADE)] == list(range(1, 20, 2))
        assert registry.get_sample_value("outbox_refused_total", {"type": "thing.unknown"}) >= 1


def test_a_forbidden_exchange(outbox, events, broker):
    say(outbox, ThingMade(number=1))
    registry = CollectorRegistry()
    with relaying(settings(events, broker, "watcher"), registry):
        refused = {"type": "thing.made"}
        wait_for(
            lambda: (registry.get_sample_value("outbox_refused_total", refused) or 0) >= 2, "it tries again"
        )
    assert unsent(events) == 1
    assert drain(broker, MADE) == []


def test_a_full_queue_holds_its_type(outbox, producer, broker, events):
    with broker.channel() as channel:
        channel.queue_declare("short", durable=True, arguments=SHORT)
        channel.queue_bind("short", "thing.lost")
        with pytest.raises(NackError):
            for _ in range(1000):
                channel.basic_publish("", "short", b"{}", mandatory=True)
    try:
        say(outbox, *(ThingLost(number=number) for number in range(12)))
        registry = CollectorRegistry()
        with relaying(producer, registry):
            refused = {"type": "thing.lost"}
            wait_for(
                lambda: (registry.get_sample_value("outbox_refused_total", refused) or 0) >= 2, "refusals"
            )
            say(outbox, ThingMade(number=100))
            broker.take(MADE)
            assert unsent(events) >= 12
            with broker.channel() as channel:
                channel.queue_purge("short")
            wait_for(lambda: unsent(events) == 0, "all are sent")
    finally:
        with broker.channel() as channel:
            channel.queue_delete("short")


SHORT = {"x-queue-type": "quorum", "x-max-length": 50, "x-overflow": "reject-publish"}


def test_one_relay_is_active_and_another_takes_over(outbox, producer, broker, events):
    first, second = CollectorRegistry(), CollectorRegistry()

    def leads(registry):
        return registry.get_sample_value("outbox_relay_leads") == 1

    with relaying(producer, first) as stop:
        wait_for(lambda: leads(first), "the first leads")
        with relaying(producer, second):
            time.sleep(1.5)
            assert not leads(second)
            say(outbox, ThingMade(number=1))
            broker.take(MADE)
            stop.set()
            wait_for(lambda: leads(second), "the second leads", 5)
            say(outbox, ThingMade(number=2))
            assert taken(broker, MADE, 1)[0]["data"]["number"] == 2
            wait_for(lambda: unsent(events) == 0, "the outbox is empty")
    assert first.get_sample_value("outbox_published_total") == 1
    assert second.get_sample_value("outbox_published_total") == 1


def test_a_lost_session_is_a_lost_lead(outbox, producer, broker, events):
    with relaying(producer):
        wait_for(lambda: asleep(events), "the relay sleeps")
        events.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
        )
        say(outbox, ThingMade(number=1))
        broker.take(MADE)
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")


def test_nothing_is_sent_that_may_be_taken_back(outbox, producer, broker, events):
    """While COMMITs wait for the standby, what the relay reads may exist on this node only."""
    say(outbox, ThingMade(number=1), subject="a")
    events.require_missing_standby(True)
    with relaying(producer):
        events.wait_for_commit_wait()
        time.sleep(2.5)  # longer than the relay waits for one COMMIT
        assert broker.count(MADE) == 0
        assert unsent(events) == 1
        events.require_missing_standby(False)
        broker.take(MADE)
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")


def test_a_stop_waits_for_confirms(outbox, producer, broker, events):
    for _ in range(5):
        say(outbox, *(ThingMade(number=number) for number in range(100)))
    with relaying(producer):
        wait_for(lambda: unsent(events) < 500, "it has begun")
    left = unsent(events)
    assert len({event["id"] for event in drain(broker, MADE)}) == 500 - left


def test_the_age_of_the_oldest_event_is_known(events, producer, broker):
    events.execute(
        "insert into outbox (message_id, subject, type, body, created_at)"
        f" values ('{uuid.uuid4()}', 'a', 'thing.lost', '{{}}', now() - interval '90 seconds')",
        DATABASE,
    )
    registry = CollectorRegistry()
    with relaying(producer, registry):
        wait_for(lambda: (registry.get_sample_value("outbox_oldest_seconds") or 0) > 89, "its age")


def test_a_session_on_a_server_that_is_away_says_so(producer):
    away = producer.model_copy(
        update={"database_dsn": "host=127.0.0.1 port=1 dbname=x user=x connect_timeout=1"}
    )
    with pytest.raises(psycopg2.OperationalError):
        OutboxSession.open(away)
