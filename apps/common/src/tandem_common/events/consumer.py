"""The consumer: takes messages from a service's queues, one after the other, and gives each its effect once.

The message's id is recorded in the transaction of the effect, and the message acknowledged after its COMMIT. So a
message that comes again is known, whoever died in between.
"""

import queue
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from tandem_common.database import Database, make_durable
from tandem_common.events import failures
from tandem_common.events.connection import BrokerConnection, Delivery
from tandem_common.events.handler import Handler, Handlers
from tandem_common.events.metrics import ConsumerMetrics
from tandem_common.events.model import Event, Reject, read
from tandem_common.events.pruning import Pruning
from tandem_common.events.publishing import Outgoing, Result
from tandem_common.events.stopping import Stop, on_signals
from tandem_common.events.tables import CONSUMED
from tandem_common.logs import about
from tandem_common.problems import OutcomeUnknown, Unavailable
from tandem_common.settings import BrokerSettings

log = structlog.get_logger(__name__)
OutcomeT = TypeVar("OutcomeT")
WAIT_SECONDS = 0.5
"""Longest wait for a message; then the wish to stop is looked at."""
PAUSE_SECONDS = 1.0
"""Between two attempts while the database or the broker can't be used."""
PUBLISH_SECONDS = 10.0
"""How long a failed message may take to its delay or to the dead letters."""


class WrongConfiguration(Exception):
    """The service's handlers and what it is told to consume don't fit."""


class _Stopped(Exception):
    """The message in hand can't be finished before the end; the broker will deliver it again."""


class Outcome(StrEnum):
    """What became of a message."""

    DONE = "done"
    REPEATED = "repeated"
    """It had its effect before."""
    RETRIED = "retried"
    DEAD = "dead"
    GIVEN_BACK = "given_back"
    """Neither its delay nor the dead letters could take it."""


def run_consumer(
    settings: BrokerSettings,
    handlers: Handlers,
    *,
    registry: CollectorRegistry | None = None,
    stop: Stop | None = None,
) -> None:
    """Consume until SIGTERM; the message in hand is finished first."""
    Consumer(settings, handlers, registry or CollectorRegistry()).run(stop or on_signals())


def _ids(event: Event) -> dict[str, str]:
    """Whose event it is, and of which order, where its data say so."""
    named = {name: event.data.get(name) for name in ("user_id", "order_id")}
    return {name: value for name, value in named.items() if isinstance(value, str)}


class Consumer:
    """One process of a consuming service."""

    def __init__(self, settings: BrokerSettings, handlers: Handlers, registry: CollectorRegistry) -> None:
        consumes = settings.broker_consumes
        if set(consumes) != set(handlers):
            raise WrongConfiguration(
                f"BROKER_CONSUMES names {sorted(consumes)}, there are handlers for {sorted(handlers)}"
            )
        self._handlers = {consumes[name].queue: (name, handler) for name, handler in handlers.items()}
        self._retries = {one.queue: one.retries for one in consumes.values()}
        self._database = Database(settings, registry)
        self._broker = BrokerConnection(settings, [one.queue for one in consumes.values()])
        self._metrics = ConsumerMetrics(registry)
        self._pruning = Pruning(self._database)
        self._stop = Stop()

    def run(self, stop: Stop) -> None:
        """Handle messages until `stop`."""
        self._stop = stop
        self._broker.start()
        try:
            while not stop:
                self._pruning.now_and_then()
                delivery = self._next()
                if delivery is not None and delivery.alive:
                    self._handle(delivery)
        finally:
            self._broker.stop()
            self._database.close()

    def _next(self) -> Delivery | None:
        try:
            return self._broker.deliveries.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            return None

    def _handle(self, delivery: Delivery) -> None:
        expected, handler = self._handlers[delivery.queue]
        started = time.monotonic()
        message_id = failures.id_of(delivery.properties, delivery.body)
        structlog.contextvars.bind_contextvars(message_id=message_id, type=expected)
        try:
            outcome = self._outcome(delivery, expected, handler)
            seconds = time.monotonic() - started
            log.info(
                "event", queue=delivery.queue, outcome=outcome.value, milliseconds=round(seconds * 1000, 1)
            )
        except _Stopped:
            return
        finally:
            structlog.contextvars.clear_contextvars()
        self._metrics.consumed.labels(expected, outcome.value).inc()
        self._metrics.seconds.labels(expected).observe(seconds)

    def _outcome(self, delivery: Delivery, expected: str, handler: Handler) -> Outcome:
        """Handle the message and tell the broker."""
        try:
            event = read(delivery.body)
            about(request_id=event.request_id, **_ids(event))
            if event.type != expected:
                raise Reject(f"unexpected type {event.type[:100]!r}")
            self._metrics.lag.labels(expected).set(max(0.0, time.time() - event.time.timestamp()))
            outcome = self._apply(delivery.queue, event, handler)
        except _Stopped:
            raise
        except Reject as error:
            log.warning("message rejected", queue=delivery.queue, reason=str(error))
            return self._away(delivery, failures.dead(delivery, str(error)), Outcome.DEAD)
        except Exception as error:
            return self._failed(delivery, error)
        self._broker.acknowledge(delivery)
        return outcome

    # --- the effect

    def _apply(self, queue_name: str, event: Event, handler: Handler) -> Outcome:
        data = handler.read(event)
        known = handler.prepare is not None and self._known(queue_name, event)
        prepared = None if handler.prepare is None or known else handler.prepare(event, data)

        def attempt(session: Session) -> Outcome:
            record = insert(CONSUMED).values(queue=queue_name, message_id=event.id)
            first = session.scalar(record.on_conflict_do_nothing().returning(CONSUMED.c.message_id))
            if first is None:
                # That record may so far exist on the primary only, and the message is about to be forgotten.
                make_durable(session)
                return Outcome.REPEATED
            if known:
                raise RuntimeError(
                    "the record of this message was lost in a failover"
                )  # so prepare it, later
            handler.apply(session, event, data, prepared)
            return Outcome.DONE

        try:
            return self._committed(attempt)
        except Reject:
            # For what it read, which may be old: a primary that was cut off and replaced goes on answering for a
            # while. But it can't commit, so only a rejection that a COMMIT follows is one.
            outcome = self._committed(lambda session: _confirmed(session, attempt))
        if isinstance(outcome, Reject):
            raise outcome
        return outcome

    def _committed(self, work: Callable[[Session], OutcomeT]) -> OutcomeT:
        """Do the work in a transaction, as soon as the database takes it."""
        unknown = writable = False
        while True:
            try:
                return self._database.transaction(work)
            except OutcomeUnknown:
                # The message must not be acknowledged. Its next attempt finds out: either it is recorded or not.
                unknown = True
            except Unavailable:
                # A database that took writes before and after this has something against the message. Then others
                # go on; otherwise none of them could.
                before, writable = writable, self._database.writable()
                if before and writable and not unknown:
                    raise
            if not writable or unknown:
                log.warning("waiting for the database", outcome_unknown=unknown)
                self._pause()

    def _known(self, queue_name: str, event: Event) -> bool:
        """True if the message had its effect, so that calls to others may be left out; a guess, `work` knows."""
        question = select(func.count()).where(
            CONSUMED.c.queue == queue_name, CONSUMED.c.message_id == event.id
        )
        while True:
            try:
                return bool(self._database.read(lambda session: session.scalar(question), fresh=True))
            except Unavailable:
                log.warning("waiting for the database")
                self._pause()

    def _pause(self) -> None:
        self._stop.wait(PAUSE_SECONDS)
        if self._stop:
            raise _Stopped

    # --- failures

    def _failed(self, delivery: Delivery, error: Exception) -> Outcome:
        # One line: what databases say in further ones are values.
        text = next(iter(str(error).strip().splitlines()), "")
        reason = f"{type(error).__name__}: {text}"
        done, allowed = failures.retries_of(delivery.properties), self._retries[delivery.queue]
        if done < allowed:
            way = failures.again(delivery)
            log.warning(
                "message failed", queue=delivery.queue, retry=done + 1, by=way.exchange, exc_info=error
            )
            return self._away(delivery, way, Outcome.RETRIED)
        log.error("message failed for the last time", queue=delivery.queue, reason=reason)
        last = failures.dead(delivery, f"failed {done + 1} times, at last: {reason}")
        return self._away(delivery, last, Outcome.DEAD)

    def _away(self, delivery: Delivery, message: Outgoing, outcome: Outcome) -> Outcome:
        """Send the message elsewhere and acknowledge it here; give it back if that fails."""
        if self._publish(message):
            self._broker.acknowledge(delivery)
            return outcome
        self._stop.wait(PAUSE_SECONDS)  # or the same message would come round and round at full speed
        self._broker.give_back(delivery)
        return Outcome.GIVEN_BACK

    def _publish(self, message: Outgoing) -> bool:
        self._broker.send([message])
        end = time.monotonic() + PUBLISH_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                outcome = self._broker.outcomes.get(timeout=left)
            except queue.Empty:
                break
            if outcome.token is message.token:
                if outcome.result is not Result.CONFIRMED:
                    log.error("a failed message can't be moved", to=message.exchange, reason=outcome.reason)
                return outcome.result is Result.CONFIRMED
        log.error("a failed message can't be moved", to=message.exchange, reason="no confirm in time")
        self._broker.leave_node("no confirm in time")
        return False


def _confirmed(session: Session, attempt: Callable[[Session], Outcome]) -> Outcome | Reject:
    """What an attempt gives; if it rejects, then with nothing written, and a COMMIT that waits for the standby."""
    try:
        with session.begin_nested():
            return attempt(session)
    except Reject as error:
        make_durable(session)
        return error
