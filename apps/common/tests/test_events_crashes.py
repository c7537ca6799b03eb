"""Processes that are killed at the worst moments, and a broker that goes away: every event has its effect once."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.broker import PASSWORD, Broker
from support.events import DATABASE, ThingMade, consuming, numbers, relaying, say, unsent, wait_for
from tandem_common.events.model import write

APPS = Path(__file__).parents[2]
MADE = "keeper:thing.made"
DEAD = f"{MADE}:dead"


def environment(settings, folder, crash=None):
    (folder / "database_password").write_text(settings.database_password.get_secret_value())
    (folder / "broker_password").write_text(PASSWORD)
    consumes = {name: one.model_dump() for name, one in settings.broker_consumes.items()}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(APPS / "tests"), str(APPS / "common/src")]),
        "CREDENTIALS_DIRECTORY": str(folder),
        "CRASHED": str(folder / "crashed"),
        "DATABASE_DSN": settings.database_dsn,
        "COMMIT_WAIT_SECONDS": "1",
        "BROKER_HOSTS": settings.broker_hosts,
        "BROKER_USER": settings.broker_user,
        "BROKER_CA": settings.broker_ca,
        "BROKER_CONSUMES": json.dumps(consumes),
        **({"CRASH": crash} if crash else {}),
    }


@contextmanager
def process(settings, folder, command, crash=None):
    log = (folder / "log").open("ab")
    arguments = [sys.executable, "-m", "support.workers", command]
    running = subprocess.Popen(arguments, env=environment(settings, folder, crash), stdout=log, stderr=log)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def died(running):
    return running.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize("crash", ["before marking", "after sending"])
def test_a_relay_is_killed_between_publish_and_mark(
    crash, tmp_path, outbox, producer, keeper, events, broker
):
    say(outbox, *(ThingMade(number=number) for number in range(20)))
    say(outbox, *(ThingMade(number=number) for number in range(20, 40)), subject="one")
    with process(producer, tmp_path, "relay", crash) as first:
        assert died(first)
    assert unsent(events) == 40
    with process(producer, tmp_path, "relay", crash), consuming(keeper):
        wait_for(lambda: unsent(events) == 0, "the outbox is empty")
        wait_for(lambda: len(numbers(events)) >= 40 and broker.count(MADE) == 0, "all effects")
    found = numbers(events)
    assert sorted(found) == list(range(40))
    assert [number for number in found if number >= 20] == list(range(20, 40))
    if crash == "before marking":
        assert broker.count("watcher:thing.made") > 40  # it did come twice


@pytest.mark.parametrize("crash", ["before acknowledging", "before committing"])
def test_a_consumer_is_killed_around_its_commit(crash, tmp_path, outbox, producer, keeper, events, broker):
    with relaying(producer):
        say(outbox, *(ThingMade(number=number) for number in range(20, 40)))
        with process(keeper, tmp_path, "consume", crash) as first:
            assert died(first)
        assert numbers(events) == ([20] if crash == "before acknowledging" else [])
        with process(keeper, tmp_path, "consume", crash):
            wait_for(lambda: len(numbers(events)) >= 20 and broker.count(MADE) == 0, "all effects")
    assert sorted(numbers(events)) == list(range(20, 40))


def test_a_consumer_is_killed_between_sending_away_and_acknowledging(tmp_path, keeper, events, broker):
    """Then there are two copies; both end as dead letters, and the message had no effect."""
    put(broker, 13)
    put(broker, 1)
    with process(keeper, tmp_path, "consume", "before acknowledging") as first:
        assert died(first)
    with process(keeper, tmp_path, "consume", "before acknowledging"):
        broker.take(DEAD)
        broker.take(DEAD)
    assert numbers(events) == [1]


def put(broker, number):
    written = write(ThingMade(number=number), event_id=uuid.uuid4(), source="s", subject="a", request_id=None)
    broker.put(MADE, written.encode())


def test_sigterm_ends_both_commands(tmp_path, producer, keeper, outbox, events):
    with process(producer, tmp_path, "relay") as relay, process(keeper, tmp_path, "consume") as consumer:
        say(outbox, ThingMade(number=1))
        wait_for(lambda: numbers(events) == [1], "the effect")
        relay.terminate()
        consumer.terminate()
        assert (relay.wait(10), consumer.wait(10)) == (0, 0)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_wrong_configuration_ends_the_command(tmp_path, keeper):
    wrong = keeper.model_copy(update={"broker_consumes": {}})
    with process(wrong, tmp_path, "consume") as running:
        assert running.wait(30) == 78
    assert "BROKER_CONSUMES" in (tmp_path / "log").read_text()


def test_a_frozen_relay_loses_the_lead(tmp_path, producer, keeper, outbox, events, broker):
    """The server ends its session; what it then does late has no second effect."""
    with process(producer, tmp_path, "relay") as frozen, consuming(keeper):
        say(outbox, ThingMade(number=1))
        wait_for(lambda: numbers(events) == [1], "the effect")
        frozen.send_signal(signal.SIGSTOP)
        with relaying(producer):
            started = time.monotonic()
            say(outbox, ThingMade(number=2))
            wait_for(lambda: numbers(events) == [1, 2], "the other one's effect")
            assert time.monotonic() - started < 15
            frozen.send_signal(signal.SIGCONT)
            say(outbox, ThingMade(number=3))
            wait_for(lambda: numbers(events) == [1, 2, 3], "the effect")


def test_the_broker_is_killed_and_comes_back(producer, keeper, outbox, events, broker):
    """Under load, and with unsent events."""
    with relaying(producer), consuming(keeper):
        for number in range(200):
            say(outbox, ThingMade(number=number))
            if number == 50:
                broker.kill()
        assert unsent(events) > 0
        broker.start()
        wait_for(lambda: unsent(events) == 0, "the outbox is empty", 60)
        wait_for(lambda: len(numbers(events)) >= 200 and broker.count(MADE) == 0, "all effects", 60)
    assert sorted(numbers(events)) == list(range(200))


def test_a_silent_broker_is_left(producer, keeper, outbox, events, broker):
    """Frozen: its kernel still acknowledges, so only heartbeats and confirms tell."""
    given = producer.model_copy(update={"broker_heartbeat_s": 1})
    with relaying(given), consuming(keeper):
        say(outbox, ThingMade(number=1))
        wait_for(lambda: numbers(events) == [1], "the effect")
        broker.signal(signal.SIGSTOP)
        say(outbox, ThingMade(number=2))
        time.sleep(12)
        broker.signal(signal.SIGCONT)
        wait_for(lambda: numbers(events) == [1, 2] and unsent(events) == 0, "the effect")


def test_a_dead_node_is_passed_over(producer, keeper, outbox, events, broker):
    """Hosts are tried in their order: the first one refuses, the second one never answers."""
    hosts = f"localhost:1,192.0.2.1:5671,localhost:{broker.port}"
    changed = {"broker_hosts": hosts, "broker_connect_timeout_s": 0.3}
    with relaying(producer.model_copy(update=changed)), consuming(keeper.model_copy(update=changed)):
        say(outbox, ThingMade(number=1))
        wait_for(lambda: numbers(events) == [1], "the effect", 10)


def test_a_broker_with_another_certificate_gets_no_password(producer, outbox, events, broker, tmp_path):
    with Broker.unstarted() as other:
        given = producer.model_copy(update={"broker_ca": str(other.folder / "ca.pem")})
        say(outbox, ThingMade(number=1))
        with relaying(given):
            time.sleep(2)
            assert unsent(events) == 1
    assert events.execute("select count(*) from outbox", DATABASE) == [(1,)]
