"""Dead letters: look at them, send them again, drop them.

Reading a queue takes its messages away from everybody else until the connection ends; then those that were not
acknowledged are back, in their order.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
import structlog
from pika import exceptions
from pika.adapters.blocking_connection import BlockingChannel

from tandem_common.events import failures
from tandem_common.events.nodes import Nodes, parameters
from tandem_common.problems import NotFound, Unavailable
from tandem_common.settings import BrokerSettings

log = structlog.get_logger(__name__)
MOST = 10_000
"""Messages looked at per queue."""
ALL = "all"


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be handled."""

    channel: BlockingChannel
    tag: int
    queue: str
    """Where it failed."""
    id: str
    body: bytes
    properties: pika.BasicProperties

    @property
    def headers(self) -> dict[str, Any]:
        """Of the message."""
        return dict(self.properties.headers or {})

    @property
    def reason(self) -> str:
        """Why it is here: the consumer's words, or the broker's (`delivery_limit`: its consumers kept dying)."""
        by_broker = self.headers.get("x-first-death-reason", "unknown")
        return str(self.headers.get(failures.REASON) or f"by the broker: {by_broker}")

    def summary(self) -> dict[str, Any]:
        """What a list shows; the event's data is not in it."""
        event = self.event()
        return {
            "id": self.id,
            "queue": self.queue,
            "type": event.get("type", self.properties.type),
            "subject": event.get("subject"),
            "time": event.get("time"),
            "retries": failures.retries_of(self.properties),
            "reason": self.reason,
        }

    def event(self) -> dict[str, Any]:
        """The body, if it is a JSON object; else nothing."""
        try:
            event = json.loads(self.body)
        except ValueError:
            return {}
        return event if isinstance(event, dict) else {}


def declare(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="one line of JSON for each")
    show = verbs.add_parser("show", help="one of them, with its body")
    show.add_argument("id", metavar="ID")
    requeue = verbs.add_parser("requeue", help="send it to its queue again, in a second")
    requeue.add_argument("id", metavar="ID", help="or: all")
    drop = verbs.add_parser("drop", help="take it away for ever; a record of it goes to the log")
    drop.add_argument("id", metavar="ID")
    drop.add_argument("--reason", required=True, help="why; goes to the log")


def work(settings: BrokerSettings, verb: str, **arguments: Any) -> None:
    """Do what the command line says. Raises NotFound, Unavailable."""
    verbs: dict[str, Callable[..., None]] = {"list": show_all, "show": show, "requeue": requeue, "drop": drop}
    try:
        with _channel(settings) as channel:
            verbs[verb](channel, settings, **arguments)
    except (exceptions.AMQPError, OSError) as error:
        raise Unavailable(f"The broker: {type(error).__name__} {error}") from error


def show_all(channel: BlockingChannel, settings: BrokerSettings) -> None:
    """Print a line for each dead letter."""
    for letter in letters(channel, settings):
        print(json.dumps(letter.summary(), ensure_ascii=False))


def show(channel: BlockingChannel, settings: BrokerSettings, *, id: str) -> None:
    """Print one with its body."""
    letter = _find(channel, settings, id)[0]
    body = letter.event() or letter.body.decode(errors="backslashreplace")
    print(
        json.dumps(
            {**letter.summary(), "headers": letter.headers, "body": body},
            ensure_ascii=False,
            indent=2,
            default=str,
        )
    )


def requeue(channel: BlockingChannel, settings: BrokerSettings, *, id: str) -> None:
    """Send one, or all, to their queues again, with all their retries before them."""
    for letter in _find(channel, settings, id):
        properties = failures.properties(letter.properties, letter.body, {failures.RETRIES: 0})
        channel.basic_publish(failures.delay(0), letter.queue, letter.body, properties, mandatory=True)
        channel.basic_ack(letter.tag)
        log.warning("dead letter sent again", **letter.summary())


def drop(channel: BlockingChannel, settings: BrokerSettings, *, id: str, reason: str) -> None:
    """Take one away; the record comes first."""
    for letter in _find(channel, settings, id):
        summary = letter.summary()
        log.warning("dead letter dropped", **{**summary, "died_of": summary["reason"], "reason": reason})
        channel.basic_ack(letter.tag)


def letters(channel: BlockingChannel, settings: BrokerSettings) -> Iterator[DeadLetter]:
    """All dead letters of the queues that this service consumes; each queue only as it was at the beginning."""
    for consumed in settings.broker_consumes.values():
        for _ in range(MOST):
            method, properties, body = channel.basic_get(f"{consumed.queue}:{failures.DEAD}")
            if method is None or properties is None or body is None:
                break
            letter_id = failures.id_of(properties, body)
            yield DeadLetter(channel, method.delivery_tag, consumed.queue, letter_id, body, properties)


def _find(channel: BlockingChannel, settings: BrokerSettings, wanted: str) -> list[DeadLetter]:
    found = [letter for letter in letters(channel, settings) if wanted in (letter.id, ALL)]
    if not found and wanted != ALL:
        raise NotFound(f"There is no dead letter {wanted}.")
    return found


@contextmanager
def _channel(settings: BrokerSettings) -> Iterator[BlockingChannel]:
    nodes = Nodes.of(settings.broker_hosts)
    connection = pika.BlockingConnection([parameters(settings, node) for node in nodes.nodes])
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()
