"""Dead letters: looked at, sent again, dropped with a record."""

import argparse
import json
import uuid

import pytest
from structlog.testing import capture_logs
from support.events import DATABASE, ThingMade, consuming, numbers, wait_for
from tandem_common.events import dead_letters
from tandem_common.events.model import write
from tandem_common.problems import NotFound, Unavailable

MADE = "keeper:thing.made"
DEAD = f"{MADE}:dead"


def message(number, event_id):
    written = write(
        ThingMade(number=number), event_id=event_id, source="s", subject=f"s{number}", request_id=None
    )
    return written.encode()


@pytest.fixture
def ids(broker):
    """Of three dead letters, one of which is no event."""
    known = [uuid.uuid4(), uuid.uuid4()]
    for number, event_id in enumerate(known):
        headers = {"x-tandem-reason": f"reason {number}", "x-tandem-retries": 5}
        broker.put(
            DEAD, message(number, event_id), message_id=str(event_id), type="thing.made", headers=headers
        )
    broker.put(DEAD, b"no json\xff")
    return [str(event_id) for event_id in known]


def command(settings, *arguments):
    parser = argparse.ArgumentParser()
    dead_letters.declare(parser)
    dead_letters.work(settings, **vars(parser.parse_args(arguments)))


def listed(settings, capsys):
    capsys.readouterr()  # of a consumer's log
    command(settings, "list")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_list(ids, keeper, broker, capsys):
    for _ in range(3):  # looking changes nothing
        found = listed(keeper, capsys)
    assert [letter["id"] for letter in found[:2]] == ids
    assert found[0] == {
        "id": ids[0],
        "queue": MADE,
        "type": "thing.made",
        "subject": "s0",
        "time": found[0]["time"],
        "retries": 5,
        "reason": "reason 0",
    }
    assert found[2]["id"].startswith("sha256-")
    assert found[2]["reason"] == "by the broker: unknown"
    wait_for(lambda: broker.count(DEAD) == 3, "all are there again")


def test_show(ids, keeper, capsys):
    command(keeper, "show", ids[1])
    shown = json.loads(capsys.readouterr().out)
    assert shown["body"]["data"] == {"number": 1, "text": ""}
    assert shown["headers"]["x-tandem-retries"] == 5


def test_show_what_is_no_event(ids, keeper, capsys):
    command(keeper, "show", listed(keeper, capsys)[2]["id"])
    assert json.loads(capsys.readouterr().out)["body"] == "no json\\xff"


def test_requeue_one(ids, keeper, broker, events, capsys):
    with consuming(keeper):
        command(keeper, "requeue", ids[1])
        wait_for(lambda: numbers(events) == [1], "its effect")
    assert [letter["id"] for letter in listed(keeper, capsys)[:1]] == [ids[0]]
    assert events.execute("select message_id::text from consumed_messages", DATABASE) == [(ids[1],)]


def test_requeue_all(ids, keeper, broker, events, capsys):
    with consuming(keeper):
        command(keeper, "requeue", "all")
        wait_for(lambda: numbers(events) == [0, 1], "their effects")
        properties, body = broker.take(DEAD)
    assert body == b"no json\xff"  # dead again, and now with a reason
    assert "not an event" in properties.headers["x-tandem-reason"]
    assert listed(keeper, capsys) == []


def test_requeued_messages_have_all_their_retries(ids, keeper, broker):
    command(keeper, "requeue", ids[0])
    properties, _ = broker.take(MADE)
    assert properties.headers["x-tandem-retries"] == 0
    assert "x-tandem-reason" not in properties.headers


def test_drop_leaves_a_record(ids, keeper, broker, capsys):
    with capture_logs() as records:
        command(keeper, "drop", ids[0], "--reason", "of no use")
    (record,) = records
    assert record["event"] == "dead letter dropped"
    assert (record["id"], record["subject"], record["queue"]) == (ids[0], "s0", MADE)
    assert (record["reason"], record["died_of"]) == ("of no use", "reason 0")
    assert len(listed(keeper, capsys)) == 2


def test_drop_needs_a_reason(keeper, capsys):
    with pytest.raises(SystemExit):
        command(keeper, "drop", "x")


@pytest.mark.parametrize("verb", [("show", "x"), ("requeue", "x"), ("drop", "x", "--reason", "y")])
def test_unknown_ids(ids, keeper, broker, verb):
    with pytest.raises(NotFound):
        command(keeper, *verb)
    wait_for(lambda: broker.count(DEAD) == 3, "all are there")


def test_nothing_to_requeue(keeper):
    command(keeper, "requeue", "all")


def test_no_broker(keeper):
    away = keeper.model_copy(update={"broker_hosts": "localhost:1"})
    with pytest.raises(Unavailable, match="broker"):
        command(away, "list")
