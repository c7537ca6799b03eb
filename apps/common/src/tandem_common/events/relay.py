"""The relay: takes events from the outbox to the broker.

One relay per database is active; others wait for its lock. A row leaves the outbox after the broker has confirmed
its message, so a relay that dies in between sends it again, and consumers know it by its id.

Order is kept per aggregate: of one subject at most one message is in flight. If the broker refuses a message (a queue
is full, an exchange is missing or forbidden), its type is held back, and with it what follows within the same
aggregates; everything else goes on. A held type is probed with one message, with growing pauses, because what some
of its queues took before others refused comes to them again with every attempt.
"""

import queue
import time
from collections import deque
from dataclasses import dataclass, field

import pika
import psycopg2
import structlog
from prometheus_client import CollectorRegistry

from tandem_common.events.connection import BrokerConnection
from tandem_common.events.metrics import RelayMetrics
from tandem_common.events.model import CONTENT_TYPE
from tandem_common.events.outbox_session import OutboxSession, Row
from tandem_common.events.publishing import Outcome, Outgoing, Result
from tandem_common.events.stopping import Stop, backoff, on_signals
from tandem_common.problems import OutcomeUnknown
from tandem_common.settings import BrokerSettings

log = structlog.get_logger(__name__)

WINDOW = 1000
"""Rows in memory: in flight, or behind one that is."""
POLL_SECONDS = 1.0
"""Longest sleep of an idle relay, and how often the others try to take over."""
BUSY_SECONDS = 0.02
"""How long to wait for a confirm, or a writer, before looking at the outbox again."""
CONFIRM_SECONDS = 10.0
"""A node that confirms nothing for so long is left."""
LET_GO_SECONDS = 2.0
"""Without a broker for so long, another relay may have the lead."""
REPORT_SECONDS = 5.0
OLD_SECONDS = 30.0
"""An event that waits longer is worth a warning."""
FIRST_HOLD_SECONDS = 0.5
LONGEST_HOLD_SECONDS = 30.0
FINISH_SECONDS = 3.0
"""How long a relay that stops waits for confirms."""


@dataclass
class _Hold:
    """A type that the broker refused."""

    failures: int = 0
    until: float = 0.0
    probe: int | None = None
    """The row that shows whether it is over."""


@dataclass
class _Window:
    """What the active relay has in its hands."""

    flying: dict[int, Row] = field(default_factory=dict)
    since: float = 0.0
    """When the broker last said something, or had nothing to say."""
    waiting: dict[str, deque[Row]] = field(default_factory=dict)
    """By subject; rows behind one that is in flight."""
    confirmed: list[int] = field(default_factory=list)
    held: dict[str, _Hold] = field(default_factory=dict)

    def known(self) -> list[int]:
        """Rows not to fetch again."""
        return [*self.flying, *(row.id for rows in self.waiting.values() for row in rows)]

    def room(self) -> int:
        """How many more rows fit."""
        return WINDOW - len(self.flying) - sum(map(len, self.waiting.values()))


def run_relay(
    settings: BrokerSettings, *, registry: CollectorRegistry | None = None, stop: Stop | None = None
) -> None:
    """Relay until SIGTERM."""
    Relay(settings, registry or CollectorRegistry()).run(stop or on_signals())


class Relay:
    """One process of a service's relay."""

    def __init__(self, settings: BrokerSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._broker = BrokerConnection(settings)
        self._metrics = RelayMetrics(registry)
        self._window = _Window()
        self._reported = 0.0

    def run(self, stop: Stop) -> None:
        """Try to lead, lead, and try again, until `stop`."""
        self._broker.start()
        failures = 0
        while not stop:
            try:
                session = OutboxSession.open(self._settings)
                try:
                    failures = 0
                    self._serve(session, stop)
                finally:
                    session.close()
            except (psycopg2.Error, OutcomeUnknown) as error:
                failures += 1
                log.warning("the outbox is out of reach", reason=" ".join(str(error).split()))
                stop.wait(backoff(failures, 0.1, 2.0) - time.monotonic())
        self._broker.stop()

    def _serve(self, session: OutboxSession, stop: Stop) -> None:
        while not stop:
            self._report(session)
            if self._broker.wait_until_up(POLL_SECONDS) and session.lead():
                log.info("this relay is active")
                self._metrics.leads.set(1)
                try:
                    self._lead(session, stop)
                finally:
                    self._metrics.leads.set(0)
                return  # a new session: the lead goes with the old one
            stop.wait(POLL_SECONDS)

    def _lead(self, session: OutboxSession, stop: Stop) -> None:
        self._window = _Window(since=time.monotonic())
        while not stop and self._broker.down_seconds() < LET_GO_SECONDS:
            self._report(session)
            if self._broker.wait_until_up(POLL_SECONDS):
                self._turn(session, stop)
        if stop:
            self._finish(session)
        else:
            log.warning("this relay gives up the lead: it has no broker")

    def _turn(self, session: OutboxSession, stop: Stop) -> None:
        """Take out what is confirmed, fetch, send; then wait for news."""
        window = self._window
        sent, window.confirmed = window.confirmed, []
        rows = session.exchange(sent, window.known(), list(window.held), window.room())
        self._metrics.published.inc(len(sent))
        started = self._start([*rows, *self._probes(session)])
        if window.flying:
            session.wake()
            self._collect(BUSY_SECONDS)
            self._leave_silent_node()
        elif not started and not sent:
            self._rest(session, stop)

    def _rest(self, session: OutboxSession, stop: Stop) -> None:
        if session.idle:
            session.wait(self._until_next_probe(), stop)
        elif not session.sleep():
            stop.wait(BUSY_SECONDS)
        # Now writers notify. What they wrote before is seen in the turn that follows.

    def _until_next_probe(self) -> float:
        moments = [hold.until - time.monotonic() for hold in self._window.held.values()]
        return max(BUSY_SECONDS, min([POLL_SECONDS, *moments]))

    def _probes(self, session: OutboxSession) -> list[Row]:
        """One row of each held type whose pause is over."""
        now = time.monotonic()
        rows = []
        for event_type, hold in list(self._window.held.items()):
            if now < hold.until or any(row.type == event_type for row in self._window.flying.values()):
                continue
            row = session.probe(event_type, self._window.known())
            if row is None:
                hold.until = now + POLL_SECONDS  # nothing of it is left, or it waits behind another type
            else:
                hold.probe = row.id
                rows.append(row)
        return rows

    def _start(self, rows: list[Row]) -> bool:
        """Send the first of each subject, keep the others; True if anything was sent."""
        window = self._window
        busy = {row.subject for row in window.flying.values()}
        ready = []
        for row in rows:
            if row.subject in busy:
                window.waiting.setdefault(row.subject, deque()).append(row)
            else:
                busy.add(row.subject)
                ready.append(row)
        self._send(ready)
        return bool(ready)

    def _send(self, rows: list[Row]) -> None:
        if not self._window.flying:
            self._window.since = time.monotonic()
        self._window.flying.update((row.id, row) for row in rows)
        if rows:
            self._broker.send([_message(row) for row in rows])

    def _collect(self, seconds: float) -> None:
        """Wait for an outcome and take all that are there."""
        outcomes = self._broker.outcomes
        ready: list[Row] = []
        try:
            outcome = outcomes.get(timeout=seconds)
            while True:
                self._end(outcome, ready)
                outcome = outcomes.get_nowait()
        except queue.Empty:
            self._send(ready)

    def _end(self, outcome: Outcome, ready: list[Row]) -> None:
        window = self._window
        row = window.flying.pop(outcome.token, None)
        if row is None:
            return  # of an earlier lead
        window.since = time.monotonic()
        if outcome.result is Result.CONFIRMED:
            window.confirmed.append(row.id)
            if row.type in window.held and window.held[row.type].probe == row.id:
                del window.held[row.type]
            followers = window.waiting.get(row.subject)
            if followers:
                ready.append(followers.popleft())
                if not followers:
                    del window.waiting[row.subject]
            return
        # Fetched again, without what is held back now.
        window.waiting.clear()
        if outcome.result is Result.REFUSED:
            self._hold(row, outcome.reason)

    def _hold(self, row: Row, reason: str) -> None:
        self._metrics.refused.labels(row.type).inc()
        hold = self._window.held.setdefault(row.type, _Hold())
        if time.monotonic() < hold.until:
            return  # of the same burst
        hold.failures += 1
        hold.until = backoff(hold.failures, FIRST_HOLD_SECONDS, LONGEST_HOLD_SECONDS)
        log.warning(
            "the broker refused an event; its type is held back",
            type=row.type,
            subject=row.subject,
            message_id=str(row.message_id),
            reason=reason,
            failures=hold.failures,
        )

    def _leave_silent_node(self) -> None:
        window = self._window
        if self._broker.blocked:
            window.since = time.monotonic()  # it takes no messages at present, on no node
        if window.flying and time.monotonic() - window.since > CONFIRM_SECONDS:
            window.since = time.monotonic()
            self._broker.leave_node(f"{len(window.flying)} messages without a confirm")

    def _finish(self, session: OutboxSession) -> None:
        """Wait for what is in flight, send nothing more."""
        end = time.monotonic() + FINISH_SECONDS
        window = self._window
        while window.flying and time.monotonic() < end:
            window.waiting.clear()
            self._collect(BUSY_SECONDS)
        session.exchange(window.confirmed, [], [], 0)
        self._metrics.published.inc(len(window.confirmed))

    def _report(self, session: OutboxSession) -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        seconds = session.oldest_seconds()
        self._metrics.oldest.set(seconds)
        if seconds > OLD_SECONDS:
            log.warning("an event waits in the outbox", oldest_seconds=round(seconds))


def _message(row: Row) -> Outgoing:
    properties = pika.BasicProperties(
        message_id=str(row.message_id), type=row.type, content_type=CONTENT_TYPE, delivery_mode=2
    )
    return Outgoing(row.id, row.type, row.subject, row.body.encode(), properties)
