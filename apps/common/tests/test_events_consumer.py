"""From the broker into a database: each message has its effect once, and none blocks another."""

import itertools
import json
import threading
import time
import uuid

import pytest
from pika.channel import Channel
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from structlog.testing import capture_logs
from support.broker import DELAY_MILLISECONDS
from support.events import (
    DATABASE,
    NOTE,
    NOTES,
    Thing,
    ThingMade,
    consuming,
    note,
    numbers,
    settings,
    wait_for,
)
from tandem_common import logs
from tandem_common.database import Database
from tandem_common.events import Handler, Reject, consumer, silence
from tandem_common.events.consumer import Consumer, WrongConfiguration
from tandem_common.events.model import MAX_BYTES, write
from tandem_common.events.pruning import prune
from tandem_common.problems import OutcomeUnknown, Unavailable
from tandem_common.request_ids import request_id

MADE = "keeper:thing.made"
DEAD = f"{MADE}:dead"


def message(number, **more):
    event_id = more.pop("event_id", None) or uuid.uuid4()
    written = write(
        ThingMade(number=number), event_id=event_id, source="s", subject=f"s{number}", request_id="r-1"
    )
    return json.dumps({**json.loads(written), **more}).encode()


def put(broker, number, **more):
    broker.put(MADE, message(number, **more))


def empty(broker, *queues):
    return all(broker.count(queue) == 0 for queue in queues)


def with_handler(handler):
    return {**NOTES, "thing.made": handler}


def failing(times, number=13, error=RuntimeError):
    """A handler that fails so many times for one number."""
    left = [times]

    def apply(session, event, data, prepared):
        note(session, event, data, prepared)
        if data.number == number and left[0] > 0:
            left[0] -= 1
            raise error("not today")

    return Handler(Thing, apply)


def test_an_effect(broker, events, keeper):
    registry = CollectorRegistry()
    with consuming(keeper, registry=registry):
        put(broker, 1)
        wait_for(lambda: numbers(events) == [1], "the effect")
    assert empty(broker, MADE)
    rows = events.execute("select queue from consumed_messages", DATABASE)
    assert rows == [(MADE,)]
    assert registry.get_sample_value("events_consumed_total", {"type": "thing.made", "outcome": "done"}) == 1
    assert registry.get_sample_value("events_seconds_count", {"type": "thing.made"}) == 1
    assert registry.get_sample_value("event_lag_seconds", {"type": "thing.made"}) < 30


def test_a_repeated_message_has_its_effect_once(broker, events, keeper):
    event_id = uuid.uuid4()
    registry = CollectorRegistry()
    with consuming(keeper, registry=registry):
        for _ in range(3):
            put(broker, 1, event_id=event_id)
        put(broker, 2)
        wait_for(lambda: 2 in numbers(events), "the last one")
    assert numbers(events) == [1, 2]
    repeated = {"type": "thing.made", "outcome": "repeated"}
    assert registry.get_sample_value("events_consumed_total", repeated) == 2


def test_many_in_order(broker, events, keeper):
    with broker.channel() as channel:
        for number in range(100):
            channel.basic_publish("", MADE, message(number))
    with consuming(keeper):
        wait_for(lambda: len(numbers(events)) == 100, "all")
    assert numbers(events) == list(range(100))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"no json", "not an event"),
        (b"{}", "not an event"),
        (message(13, dataschema="urn:tandem:event:thing.made:9"), "unknown version 9"),
        (message(13, type="thing.sold", dataschema="urn:tandem:event:thing.sold:1"), "unexpected type"),
        (message(13, data={"number": "many"}), "unusable data: number"),
        (b"x" * (MAX_BYTES + 1), "too large"),
    ],
)
def test_what_can_never_be_handled_is_a_dead_letter_at_once(broker, events, keeper, body, reason):
    broker.put(MADE, body)
    put(broker, 2)
    with consuming(keeper):
        wait_for(lambda: numbers(events) == [2], "the other one")
        properties, dead = broker.take(DEAD)
    assert dead == body
    assert reason in properties.headers["x-tandem-reason"]
    assert empty(broker, MADE, DEAD)


def test_lines_of_a_message_join_the_request_that_caused_it(broker, events, keeper, capsys):
    logs.configure(keeper)
    data = {"number": 13, "order_id": "o-1", "user_id": "u-1"}
    put(broker, 13, data=data)
    put(broker, 1)
    broker.put(MADE, b"no json")
    with consuming(keeper, with_handler(failing(1))):
        wait_for(lambda: numbers(events) == [1, 13], "both")
        broker.take(DEAD)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    mine = [line for line in lines if line.get("order_id")]
    assert {line["event"] for line in mine} == {"message failed", "event"}
    assert {(line["request_id"], line["user_id"], line["order_id"]) for line in mine} == {
        ("r-1", "u-1", "o-1")
    }
    assert [line["outcome"] for line in mine if line["event"] == "event"] == ["retried", "done"]
    others = [line for line in lines if line["event"] == "event" and "order_id" not in line]
    assert {(line["outcome"], line.get("request_id")) for line in others} == {("done", "r-1"), ("dead", None)}


def test_a_handler_can_reject(broker, events, keeper):
    def apply(session, event, data, prepared):
        note(session, event, data, prepared)
        raise Reject("we don't want it")

    put(broker, 1)
    with consuming(keeper, with_handler(Handler(Thing, apply))):
        properties, _ = broker.take(DEAD)
    assert properties.headers["x-tandem-reason"] == "we don't want it"
    assert numbers(events) == []


def test_a_rejection_counts_only_when_the_primary_can_commit(broker, events, keeper, monkeypatch):
    """A primary that was replaced while it was cut off still answers, with what was true before."""
    asked, committing = [], []

    def apply(session, event, data, prepared):
        asked.append(bool(committing))
        if len(asked) <= 2:
            raise Reject("there is no such thing")
        note(session, event, data, prepared)

    def replaced(session):
        committing.append(True)
        raise OutcomeUnknown("the COMMIT waits for a standby that follows another one")

    monkeypatch.setattr(consumer, "make_durable", replaced)
    put(broker, 13)
    with consuming(keeper, with_handler(Handler(Thing, apply))):
        wait_for(lambda: numbers(events) == [13], "its effect on the new primary")
    assert asked == [False, False, True]
    assert empty(broker, MADE, DEAD)


def test_a_failure_is_tried_again_later_and_others_go_on(broker, events, keeper):
    put(broker, 13)
    for number in range(5):
        put(broker, number)
    with consuming(keeper, with_handler(failing(3))):
        wait_for(lambda: 13 in numbers(events), "the last attempt")
    assert numbers(events) == [0, 1, 2, 3, 4, 13]
    assert empty(broker, MADE, DEAD)


def test_after_the_last_retry_it_is_a_dead_letter(broker, events, keeper):
    moments = []

    def apply(_session, _event, _data, _prepared):
        moments.append(time.monotonic())
        raise RuntimeError("never\na detail")

    put(broker, 13)
    with consuming(keeper, with_handler(Handler(Thing, apply))):
        properties, _ = broker.take(DEAD)
    assert properties.headers["x-tandem-reason"] == "failed 6 times, at last: RuntimeError: never"
    assert properties.headers["x-tandem-retries"] == 5
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(pauses) == 5
    for pause, least in zip(pauses, DELAY_MILLISECONDS.values(), strict=True):
        assert pause >= least / 1000
    assert numbers(events) == []


def test_no_retries(broker, events):
    put(broker, 13)
    with consuming(settings(events, broker, "keeper", retries=0), with_handler(failing(1))):
        properties, _ = broker.take(DEAD)
    assert properties.headers["x-tandem-reason"].startswith("failed 1 times")


def test_more_retries_than_delays(broker, events):
    put(broker, 13)
    with consuming(settings(events, broker, "keeper", retries=7), with_handler(failing(7))):
        wait_for(lambda: numbers(events) == [13], "the last attempt", 60)


def test_prepare_runs_outside_the_transaction_and_not_for_a_repetition(broker, events, keeper):
    prepared = []

    def prepare(event, data):
        assert request_id() == "r-1"
        prepared.append(data.number)
        return data.number * 10

    def apply(session, event, data, given):
        session.execute(text("insert into effects (number) values (:number)"), {"number": given})

    event_id = uuid.uuid4()
    with consuming(keeper, with_handler(Handler(Thing, apply, prepare))):
        put(broker, 1, event_id=event_id)
        put(broker, 1, event_id=event_id)
        put(broker, 2)
        wait_for(lambda: 20 in numbers(events), "the last one")
    assert numbers(events) == [10, 20]
    assert prepared == [1, 2]


def test_a_service_that_is_away_costs_retries_not_others(broker, events, keeper):
    calls = []

    def prepare(_event, data):
        calls.append(data.number)
        if data.number == 13 and calls.count(13) < 3:
            raise Unavailable("away")

    put(broker, 13)
    put(broker, 1)
    with consuming(keeper, with_handler(Handler(Thing, note, prepare))):
        wait_for(lambda: numbers(events) == [1, 13], "both")
    assert calls.count(13) == 3


def test_an_unknown_commit_is_not_acknowledged(broker, events, keeper):
    events.require_missing_standby(True)
    registry = CollectorRegistry()
    with consuming(keeper, registry=registry):
        put(broker, 1)
        events.wait_for_commit_wait()
        time.sleep(2.5)
        outcomes = [s for m in registry.collect() for s in m.samples if s.name == "events_consumed_total"]
        assert outcomes == []
        events.require_missing_standby(False)
        wait_for(lambda: len(numbers(events)) == 1 and empty(broker, MADE), "the effect")
        wait_for(lambda: finished(registry) == 1, "the acknowledgement")
    assert numbers(events) == [1]
    assert empty(broker, MADE, DEAD)


def finished(registry):
    samples = [s for metric in registry.collect() for s in metric.samples]
    return sum(s.value for s in samples if s.name == "events_consumed_total")


def test_a_stop_during_an_unknown_commit_leaves_the_message(broker, events, keeper):
    events.require_missing_standby(True)
    with consuming(keeper):
        put(broker, 1)
        events.wait_for_commit_wait()
    wait_for(lambda: broker.count(MADE) == 1, "the message is back")
    events.require_missing_standby(False)
    with consuming(keeper):
        wait_for(lambda: numbers(events) == [1] and empty(broker, MADE), "the effect")
    assert numbers(events) == [1]


def test_the_message_in_hand_is_finished(broker, events, keeper):
    entered, leave = threading.Event(), threading.Event()

    def apply(session, event, data, prepared):
        note(session, event, data, prepared)
        entered.set()
        leave.wait(5)

    for number in range(3):
        put(broker, number)
    with consuming(keeper, with_handler(Handler(Thing, apply))) as stop:
        assert entered.wait(10)
        stop.set()
        leave.set()
    assert numbers(events) == [0]
    wait_for(lambda: broker.count(MADE) == 2, "the others are back")


def test_slow_calls_keep_the_connection(broker, events):
    """Heartbeats are answered meanwhile."""
    calls = []

    def prepare(_event, data):
        calls.append(data.number)
        time.sleep(9)

    given = settings(events, broker, "keeper", broker_heartbeat_s=1)
    put(broker, 1)
    with consuming(given, with_handler(Handler(Thing, note, prepare))):
        wait_for(lambda: numbers(events) == [1] and empty(broker, MADE), "the effect")
    assert calls == [1]


def test_a_database_that_is_away_is_waited_for(broker, keeper, events, own_server):
    """Nothing is retried or dead because of it: nothing else could be done either."""
    from support.events import make_events_database

    make_events_database(own_server)
    given = settings(own_server, broker, "keeper", retries=0, write_wait_seconds=0.5)
    own_server.kill()
    put(broker, 1)
    put(broker, 2)
    with consuming(given):
        time.sleep(3)
        own_server.start()
        wait_for(lambda: numbers(own_server) == [1, 2], "both")
    assert empty(broker, MADE, DEAD)


def test_a_message_that_the_database_refuses_does_not_block(broker, events, keeper):
    """A statement that always takes too long, say."""

    def apply(session, event, data, prepared):
        if data.number == 13:
            session.execute(text("select pg_sleep(30)"))
        note(session, event, data, prepared)

    put(broker, 13)
    put(broker, 1)
    with consuming(settings(events, broker, "keeper", retries=1), with_handler(Handler(Thing, apply))):
        properties, _ = broker.take(DEAD)
        wait_for(lambda: numbers(events) == [1], "the other one")
    assert "Unavailable" in properties.headers["x-tandem-reason"]


def test_a_message_that_kills_its_consumers_is_a_dead_letter(broker, events):
    """The broker counts deliveries that end without an answer."""
    put(broker, 13)
    with broker.channel() as channel:
        for _ in range(21):
            method = None
            while method is None:
                method, _, _ = channel.basic_get(MADE)
            channel.basic_nack(method.delivery_tag, requeue=True)
    properties, _ = broker.take(DEAD)
    assert properties.headers["x-first-death-reason"] == "delivery_limit"


def test_a_queue_that_was_away_is_consumed_again(broker, events, keeper):
    with consuming(keeper):
        put(broker, 1)
        wait_for(lambda: numbers(events) == [1], "the effect")
        with broker.channel() as channel:
            channel.queue_delete(MADE)
        time.sleep(1)
        with broker.channel() as channel:
            channel.queue_declare(MADE, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(MADE, "thing.made")
        put(broker, 2)
        wait_for(lambda: numbers(events) == [1, 2], "the next effect")


def test_handlers_must_fit(keeper):
    for handlers in ({}, {"thing.made": NOTE}, {**NOTES, "thing.lost": NOTE}):
        with pytest.raises(WrongConfiguration, match=r"thing\.made"):
            Consumer(keeper, handlers, CollectorRegistry())


def test_old_messages_are_forgotten(events, keeper):
    events.execute(
        "insert into consumed_messages (queue, message_id, at)"
        " select 'q', gen_random_uuid(), now() - make_interval(days => days) from generate_series(28, 33) as days",
        DATABASE,
    )
    database = Database(keeper)
    database.transaction(prune)
    database.close()
    assert events.execute("select count(*) from consumed_messages", DATABASE) == [(2,)]


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
