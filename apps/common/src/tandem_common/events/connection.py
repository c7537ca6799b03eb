"""A connection to the broker that comes back by itself, in a thread of its own.

That thread does nothing else, so heartbeats are answered whatever a handler or a database does. Messages are
published asynchronously, many at a time: pika's blocking publisher waits for every confirm alone.
"""

import enum
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pika
import structlog
from pika import exceptions
from pika.channel import Channel

from tandem_common.events import silence
from tandem_common.events.nodes import Node, Nodes, parameters
from tandem_common.events.publishing import Outcome, Outgoing, Publisher, Result
from tandem_common.events.silence import Silence
from tandem_common.settings import BrokerSettings

log = structlog.get_logger(__name__)
PAUSE_SECONDS = 0.5
"""Before the next attempt, when no node is left that did not fail lately."""
CLOSE_SECONDS = 2.0
"""How long a goodbye may take."""


class State(enum.Enum):
    """Of the connection."""

    DOWN = "down"
    UP = "up"
    CLOSED = "closed"


@dataclass(frozen=True)
class Delivery:
    """A message from a queue; it has to be acknowledged or given back."""

    channel: Channel
    tag: int
    queue: str
    body: bytes
    properties: pika.BasicProperties

    @property
    def alive(self) -> bool:
        """False once its channel is gone: the broker then delivers the message again."""
        return bool(self.channel.is_open)


class BrokerConnection:
    """Publishes, and consumes the given queues, on one node at a time.

    `outcomes` gets one Outcome for every message sent, `deliveries` what comes from the queues.
    """

    def __init__(self, settings: BrokerSettings, queues: Sequence[str] = ()) -> None:
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.deliveries: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._settings = settings
        self._queues = list(queues)
        self.blocked = False
        """True while the broker takes no messages, because it is short of memory or disk."""
        self._nodes = Nodes.of(settings.broker_hosts)
        self._lock = threading.Lock()
        self._state = State.DOWN
        self._changed = threading.Condition(self._lock)
        self._down_since = time.monotonic()
        self._connection: pika.SelectConnection | None = None
        self._publisher: Publisher | None = None
        self._silence = Silence(self._queues)
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    # --- for the thread that owns it

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, after what was acknowledged or sent before."""
        with self._lock:
            self._state = State.CLOSED
            self._changed.notify_all()
            self._call(self._leave)
        self._thread.join(CLOSE_SECONDS * 2 + self._settings.broker_connect_timeout_s * 3)

    @property
    def up(self) -> bool:
        """True while a node answers."""
        return self._state is State.UP

    def down_seconds(self) -> float:
        """For how long there has been no node; 0 while there is one."""
        return 0.0 if self.up else time.monotonic() - self._down_since

    def wait_until_up(self, seconds: float) -> bool:
        """Wait for a node; False if none answers in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is not State.DOWN, timeout=seconds)
            return self.up

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Publish with confirms and `mandatory`; one Outcome each follows."""
        with self._lock:
            publisher = self._publisher
            if publisher is None or self._state is not State.UP:
                for message in messages:
                    self.outcomes.put(Outcome(message.token, Result.LOST, "no connection"))
                return
            publisher.expect(messages)
            self._call(lambda: publisher.send(messages))

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker to forget the message."""
        self._answer(delivery, lambda: delivery.channel.basic_ack(delivery.tag))

    def give_back(self, delivery: Delivery) -> None:
        """Tell the broker to deliver the message again."""
        self._answer(delivery, lambda: delivery.channel.basic_nack(delivery.tag, requeue=True))

    def leave_node(self, reason: str) -> None:
        """Go to another node: this one does not do what it should."""
        log.warning("leaving the broker's node", reason=reason)
        with self._lock:
            self._call(self._leave)

    def _answer(self, delivery: Delivery, answer: Callable[[], None]) -> None:
        def if_alive() -> None:
            if delivery.alive:
                self._silence.answered(delivery.queue)
                answer()

        with self._lock:
            self._call(if_alive)

    def _call(self, work: Callable[[], None]) -> None:
        """Have the connection's thread do something; the lock is held, so its loop is not closed meanwhile."""
        if self._connection is not None:
            self._connection.ioloop.add_callback_threadsafe(work)

    # --- in the thread

    def _run(self) -> None:
        while True:
            node = self._nodes.next()
            reason = self._session(node)
            if self._state is State.CLOSED:
                return
            log.warning("no connection to the broker's node", node=str(node), reason=reason)
            if not self._nodes.failed(node):
                with self._changed:
                    self._changed.wait_for(lambda: self._state is State.CLOSED, timeout=PAUSE_SECONDS)

    def _session(self, node: Node) -> str:
        """Connect and serve until the connection ends; the result says why it did."""
        ended: list[str] = []

        def end(connection: pika.SelectConnection, error: Any) -> None:
            ended.append(_reason(error))
            connection.ioloop.stop()

        try:
            connection = pika.SelectConnection(
                parameters(self._settings, node),
                on_open_callback=lambda opened: self._opened(opened, str(node)),
                on_open_error_callback=end,
                on_close_callback=end,
            )
        except (OSError, exceptions.AMQPError) as error:
            return _reason(error)
        with self._lock:
            self._connection = connection
            if self._state is State.CLOSED:
                self._call(self._leave)
        try:
            connection.ioloop.start()
        except Exception as error:
            log.exception("the broker's connection failed")
            ended.append(_reason(error))
        self._down(connection)
        return ended[0] if ended else "given up"

    def _opened(self, connection: pika.SelectConnection, node: str) -> None:
        publisher = Publisher(connection, self.outcomes)
        self.blocked = False
        connection.add_on_connection_blocked_callback(lambda _connection, frame: self._block(frame))
        connection.add_on_connection_unblocked_callback(lambda _connection, _frame: self._unblock())
        if self._queues:
            connection.channel(on_open_callback=lambda channel: self._consume(channel, publisher, node))
        else:
            self._up(publisher, node)

    def _block(self, frame: Any) -> None:
        self.blocked = True
        log.error("the broker takes no messages", reason=frame.method.reason)

    def _unblock(self) -> None:
        self.blocked = False
        log.info("the broker takes messages again")

    def _consume(self, channel: Channel, publisher: Publisher, node: str) -> None:
        # Without its channel, or with one queue less, this process would only seem to work.
        channel.add_on_close_callback(self._consuming_ended)
        channel.add_on_cancel_callback(lambda _frame: self._leave("a queue is gone"))
        channel.basic_qos(prefetch_count=self._settings.broker_prefetch)
        self._silence = Silence(self._queues)
        for name in self._queues:
            channel.basic_consume(name, self._deliverer(name))
        channel.connection.channel(on_open_callback=self._watch)
        self._up(publisher, node)

    def _watch(self, channel: Channel) -> None:
        """Ask now and then, on a channel of its own, about queues of which nothing comes."""
        channel.add_on_close_callback(self._consuming_ended)
        self._look(channel)

    def _look(self, channel: Channel) -> None:
        if not channel.is_open:
            return
        for name in self._silence.silent():
            channel.queue_declare(name, passive=True, callback=self._counted)
        channel.connection.ioloop.call_later(silence.LOOK_SECONDS, lambda: self._look(channel))

    def _counted(self, frame: Any) -> None:
        if self._silence.counted(frame.method.queue, frame.method.message_count):
            self._leave(f"messages wait in {frame.method.queue}, but none comes")

    def _consuming_ended(self, _channel: Channel, error: Exception) -> None:
        if self._connection is not None and self._connection.is_open:
            self._leave(_reason(error))

    def _deliverer(self, name: str) -> Callable[..., None]:
        def deliver(channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            self._silence.delivered(name)
            self.deliveries.put(Delivery(channel, method.delivery_tag, name, body, properties))

        return deliver

    def _up(self, publisher: Publisher, node: str) -> None:
        with self._changed:
            if self._state is State.DOWN:
                self._state = State.UP
            self._publisher = publisher
            self._changed.notify_all()
        log.info("connected to the broker", node=node)

    def _down(self, connection: pika.SelectConnection) -> None:
        with self._lock:
            publisher, self._publisher, self._connection = self._publisher, None, None
            if self._state is State.UP:
                self._state = State.DOWN
                self._down_since = time.monotonic()
            connection.ioloop.close()
        if publisher is not None:
            publisher.lose_all()

    def _leave(self, reason: str = "") -> None:
        """Close the connection, and give up waiting for the peer's goodbye after a while."""
        connection = self._connection
        if connection is None:
            return
        if reason:
            log.warning("leaving the broker's node", reason=reason)
        if connection.is_open:
            connection.close()
        connection.ioloop.call_later(CLOSE_SECONDS if connection.is_closing else 0, connection.ioloop.stop)


def _reason(error: Any) -> str:
    """In one line: pika wraps what happened in what it was doing."""
    while isinstance(getattr(error, "exceptions", None), list | tuple) and error.exceptions:
        error = error.exceptions[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
