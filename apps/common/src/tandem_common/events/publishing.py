"""Publishing with confirms: a channel per exchange, many messages in flight on each.

An exchange that is missing or forbidden closes its channel, so it costs only the messages to itself.
"""

import enum
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pika
from pika.channel import Channel


@dataclass(frozen=True)
class Outgoing:
    """A message to publish. `properties.message_id` must differ from that of all others in flight."""

    token: Any
    """Names the message to its sender."""
    exchange: str
    routing_key: str
    body: bytes
    properties: pika.BasicProperties


class Result(enum.Enum):
    """What became of a message."""

    CONFIRMED = "confirmed"
    """In every queue that is bound, on a majority of its nodes."""
    REFUSED = "refused"
    """Not in all of them; it may be in some."""
    LOST = "lost"
    """The connection went away: nobody knows."""


@dataclass(frozen=True)
class Outcome:
    """The end of one publishing."""

    token: Any
    result: Result
    reason: str = ""


class Publisher:
    """All publishing over one connection. Everything but `expect` runs in the connection's thread."""

    def __init__(self, connection: pika.SelectConnection, outcomes: "queue.SimpleQueue[Outcome]") -> None:
        self._connection = connection
        self._outcomes = outcomes
        self._exchanges: dict[str, _Exchange] = {}
        self._lock = threading.Lock()
        self._expected: set[Any] = set()

    def expect(self, messages: Sequence[Outgoing]) -> None:
        """Promise an outcome for each, also if the connection ends before they are sent."""
        with self._lock:
            self._expected.update(message.token for message in messages)

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Publish, each by its exchange's channel."""
        for message in messages:
            exchange = self._exchanges.get(message.exchange)
            if exchange is None:
                exchange = self._exchanges[message.exchange] = _Exchange(self, message.exchange)
                self._connection.channel(on_open_callback=exchange.opened)
            exchange.send(message)

    def finish(self, token: Any, result: Result, reason: str = "") -> None:
        """Report an outcome, once."""
        with self._lock:
            if token not in self._expected:
                return
            self._expected.remove(token)
        self._outcomes.put(Outcome(token, result, reason))

    @property
    def connected(self) -> bool:
        """False once the connection is closed or about to be."""
        return bool(self._connection.is_open)

    def forget(self, exchange: str) -> None:
        """Its channel was closed; the next message opens another."""
        self._exchanges.pop(exchange, None)

    def lose_all(self) -> None:
        """The connection is gone."""
        for token in list(self._expected):
            self.finish(token, Result.LOST, "the connection was lost")


class _Exchange:
    """The channel for one exchange."""

    def __init__(self, publisher: Publisher, name: str) -> None:
        self._publisher = publisher
        self._name = name
        self._channel: Channel | None = None
        self._waiting: list[Outgoing] = []
        self._unconfirmed: dict[int, Outgoing] = {}
        self._returned: dict[str, str] = {}
        self._tag = 0

    def opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._closed)
        channel.add_on_return_callback(self._return)
        channel.confirm_delivery(self._confirm, callback=lambda _frame: self._ready(channel))

    def _ready(self, channel: Channel) -> None:
        self._channel = channel
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.send(message)

    def send(self, message: Outgoing) -> None:
        if self._channel is None:
            self._waiting.append(message)
            return
        if not self._channel.is_open:  # on the way out
            self._publisher.finish(message.token, Result.LOST, "the connection is closing")
            return
        self._tag += 1
        self._unconfirmed[self._tag] = message
        self._channel.basic_publish(
            message.exchange, message.routing_key, message.body, message.properties, mandatory=True
        )

    def _return(self, _channel: Channel, method: Any, properties: pika.BasicProperties, _body: bytes) -> None:
        # The confirm follows: the broker confirms also what it could not route.
        self._returned[properties.message_id] = f"returned: {method.reply_text}"

    def _confirm(self, frame: Any) -> None:
        method = frame.method
        acknowledged = method.NAME == "Basic.Ack"
        for tag in self._tags(method.delivery_tag, method.multiple):
            message = self._unconfirmed.pop(tag)
            returned = self._returned.pop(message.properties.message_id, None)
            if acknowledged and returned is None:
                self._publisher.finish(message.token, Result.CONFIRMED)
            else:
                self._publisher.finish(message.token, Result.REFUSED, returned or "refused by a queue")

    def _tags(self, tag: int, multiple: bool) -> list[int]:
        if not multiple:
            return [tag] if tag in self._unconfirmed else []
        return [one for one in self._unconfirmed if one <= tag]

    def _closed(self, _channel: Channel, error: Exception) -> None:
        self._publisher.forget(self._name)
        lost = not self._publisher.connected
        for message in [*self._unconfirmed.values(), *self._waiting]:
            if lost:
                self._publisher.finish(message.token, Result.LOST, "the connection was lost")
            else:
                self._publisher.finish(message.token, Result.REFUSED, " ".join(str(error).split()))
        self._unconfirmed.clear()
        self._waiting.clear()
