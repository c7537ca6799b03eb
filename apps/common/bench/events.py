"""How fast events get from an outbox to a consumer's effect, beside bare pika with confirms on the same broker.

    cd apps && PYTHONPATH=tests:common/src python common/bench/events.py [--events N] [--seconds N]

Starts a PostgreSQL and a RabbitMQ of its own (one node each, so no replication between sites is in these figures) and
prints one JSON object: events per second, and latencies in milliseconds.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pika
from sqlalchemy import text
from sqlalchemy.orm import Session
from support.broker import Broker, Plan
from support.events import (
    DATABASE,
    NOTES,
    Thing,
    ThingMade,
    consuming,
    make_events_database,
    relaying,
    say,
    settings,
    unsent,
    wait_for,
)
from support.postgres import Server
from tandem_common.database import Database
from tandem_common.events import Event, Handler
from tandem_common.events.connection import BrokerConnection
from tandem_common.events.publishing import Outgoing, Result
from tandem_common.settings import BrokerSettings

PLAN = Plan(publishes={"things": ["thing.made"]}, consumes={"keeper": ["thing.made"]}, max_length=1_000_000)
QUEUE = "keeper:thing.made"
IN_FLIGHT = 1000
TEXT = "x" * 1000
"""About the size of an order's event."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5000, help="per measurement of throughput")
    parser.add_argument("--seconds", type=int, default=10, help="of the measurement of latency")
    given = parser.parse_args()
    with Server.started() as server, Broker.started(PLAN) as broker:
        make_events_database(server)
        producer, consumer = (settings(server, broker, name) for name in ("things", "keeper"))
        consumer = consumer.model_copy(
            update={"broker_consumes": {"thing.made": consumer.broker_consumes["thing.made"]}}
        )
        result = {
            "events": given.events,
            "bare pika, one confirm at a time, per second": bare(broker, given.events // 10),
            "bare pika, many confirms at a time, per second": bare_many(broker, producer, given.events),
            **through(server, broker, producer, consumer, given.events),
            **latencies(server, producer, consumer, given.seconds),
        }
    print(json.dumps(result, indent=2))


def bare(broker: Broker, count: int) -> int:
    """What BlockingConnection does."""
    properties = pika.BasicProperties(delivery_mode=2)
    with broker.channel() as channel, rate(count) as result:
        for _ in range(count):
            channel.basic_publish("thing.made", "", TEXT.encode(), properties, mandatory=True)
    broker.empty()
    return result[0]


def bare_many(broker: Broker, settings: BrokerSettings, count: int) -> int:
    """Asynchronous confirms without a database, as the relay uses them."""
    connection = BrokerConnection(settings)
    connection.start()
    connection.wait_until_up(10)
    with rate(count) as result:
        flying = sent = confirmed = 0
        while confirmed < count:
            more = min(IN_FLIGHT - flying, count - sent)
            connection.send([outgoing(sent + one) for one in range(more)])
            sent, flying = sent + more, flying + more
            outcome = connection.outcomes.get(timeout=30)
            confirmed += outcome.result is Result.CONFIRMED
            flying -= 1
    connection.stop()
    broker.empty()
    return result[0]


def outgoing(number: int) -> Outgoing:
    """A message of the usual size."""
    properties = pika.BasicProperties(message_id=str(number), delivery_mode=2)
    return Outgoing(number, "thing.made", "", TEXT.encode(), properties)


def through(
    server: Server, broker: Broker, producer: BrokerSettings, consumer: BrokerSettings, count: int
) -> dict[str, int]:
    """A full outbox is emptied; then a full queue."""
    database = Database(producer)
    for start in range(0, count, 100):
        say(database, *(ThingMade(number=start + one, text=TEXT) for one in range(100)))
    database.close()
    with rate(count) as relayed, relaying(producer):
        wait_for(lambda: unsent(server) == 0, "the outbox is empty", 600)
    with rate(count) as consumed, consuming(consumer, {"thing.made": NOTES["thing.made"]}):
        wait_for(lambda: effects(server) >= count, "all effects", 600)
    return {
        "outbox to broker, per second": relayed[0],
        "broker to effect, one consumer, per second": consumed[0],
    }


def latencies(
    server: Server, producer: BrokerSettings, consumer: BrokerSettings, seconds: int
) -> dict[str, dict[str, float]]:
    """From before the producer's transaction to the effect's, at twenty a second."""
    found: list[float] = []

    def apply(session: Session, event: Event, data: Any, _prepared: Any) -> None:
        session.execute(text("select 1"))
        found.append((time.time() - data.number / 1e6) * 1000)

    database = Database(producer)
    with relaying(producer), consuming(consumer, {"thing.made": Handler(Thing, apply)}):
        time.sleep(2)
        for _ in range(seconds * 20):
            say(database, ThingMade(number=int(time.time() * 1e6), text=TEXT))
            time.sleep(0.05)
        wait_for(lambda: len(found) >= seconds * 20, "all of them")
    database.close()
    return {"change to effect, ms": percentiles(found)}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The usual ones."""
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}


def effects(server: Server) -> int:
    """Rows of the consumer."""
    return int(server.execute("select count(*) from effects", DATABASE)[0][0])


@contextmanager
def rate(count: int) -> Iterator[list[int]]:
    """How many per second."""
    result: list[int] = []
    started = time.monotonic()
    yield result
    result.append(round(count / (time.monotonic() - started)))


if __name__ == "__main__":
    main()
