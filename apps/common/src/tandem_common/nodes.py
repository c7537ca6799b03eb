"""Finds the right node of a database with several hosts and connects to it.

libpq tries the hosts of a connection string one after the other, so a host without power costs its whole
time limit on every new connection. Here the node that answered last is tried first; if it does not answer,
all are asked at once, and the session that is kept on the other one (spare.py) as well.
"""

import select
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import extensions

from tandem_common import deadlines
from tandem_common.spare import ASK_SECONDS, Spare

PAUSE_SECONDS = 0.5
"""Between two attempts at one node: each costs the server a TLS handshake, and many processes look at once."""
SHUN_SECONDS = 5.0
"""A node that failed is not tried first for this long."""
FIRST_TRY_SECONDS = 1.0

Connection = extensions.connection


@dataclass(frozen=True)
class Node:
    """One server of the database."""

    host: str
    port: str


@dataclass
class _Attempt:
    """A connection to one node while it is being made."""

    node: Node
    connection: Connection | None = None
    started: float = 0.0
    """When the connection, or the last question on it, began."""
    next_start: float = 0.0
    next_ask: float | None = None
    """When a node that does not take writes yet is asked again; None while an answer is awaited."""
    question: Any = None
    want: int = 0


@dataclass
class Nodes:
    """The servers behind one connection string."""

    dsn: str
    password: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """Settings of each session."""
    own_site_first: bool = False
    """Prefer the first host of the string (reads); otherwise the one that was right last (the primary)."""

    def __post_init__(self) -> None:
        parameters = dict(extensions.parse_dsn(self.dsn))
        hosts = parameters.pop("host", "").split(",")
        ports = parameters.pop("port", "5432").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        self.nodes = [Node(host, port) for host, port in zip(hosts, ports, strict=True)]
        settings = " ".join(f"-c {name}={value}" for name, value in self.options.items())
        parameters["options"] = f"{parameters.get('options', '')} {settings}".strip()
        if self.password is not None:
            parameters["password"] = self.password
        self._parameters: dict[str, Any] = parameters
        self._writes = parameters.get("target_session_attrs") == "read-write"
        self._limit = float(parameters.get("connect_timeout", 2))
        self._last = self.nodes[0]
        self._failed: dict[Node, float] = {}
        self._finding = threading.Lock()
        self._finds = 0
        self._spare = Spare()

    def connect(self) -> Connection:
        """A connection to the right node before the thread's deadline; psycopg2.OperationalError if none."""
        end = deadlines.end()
        first = self._first()
        if first is not None:
            try:
                return self._open(first, min(end, time.monotonic() + FIRST_TRY_SECONDS))
            except psycopg2.OperationalError:
                self._failed[first] = time.monotonic()
        node, connection = self._find_once(end)
        if connection is None:
            connection = self._open(node, end)
        self._failed.pop(node, None)
        return connection

    def warm(self, seconds: float) -> None:
        """Keep a session on the node that does not lead; gives up silently, for it is only of use later."""
        other = next((node for node in self.nodes if node != self._last), None)
        if not self._writes or other is None or not self._finding.acquire(blocking=False):
            return
        try:
            self._spare.takes_writes()  # drops one that is dead
            if self._spare.node != other:
                self._spare.drop()
                with deadlines.within(seconds):
                    parameters = {**self._parameters, "target_session_attrs": "any"}
                    spare = psycopg2.connect(host=other.host, port=other.port, **parameters)
                spare.autocommit = True
                self._spare.put(other, spare)
        except psycopg2.OperationalError:
            return
        finally:
            self._finding.release()

    def close(self) -> None:
        """Close the session that is kept."""
        with self._finding:
            self._spare.drop()

    def _first(self) -> Node | None:
        """The node to try before all others; None if the likely ones failed a moment ago."""
        likely = [self.nodes[0], self._last] if self.own_site_first else [self._last]
        now = time.monotonic()
        return next((n for n in likely if now - self._failed.get(n, -SHUN_SECONDS) >= SHUN_SECONDS), None)

    def _open(self, node: Node, end: float) -> Connection:
        with deadlines.until(end):
            connection: Connection = psycopg2.connect(host=node.host, port=node.port, **self._parameters)
            return connection

    def _find_once(self, end: float) -> tuple[Node, Connection | None]:
        """One thread looks for the node, the others wait for what it finds; with a session if there is one."""
        finds = self._finds
        if not self._finding.acquire(timeout=max(0.0, end - time.monotonic())):
            raise psycopg2.OperationalError("no suitable database node answered in time")
        try:
            connection = None
            if finds == self._finds:
                self._last, connection = self._find(end)
                self._finds += 1
            return self._last, connection
        finally:
            self._finding.release()

    def _find(self, end: float) -> tuple[Node, Connection | None]:
        """Ask all nodes at once, again and again, until one of them is what the string wants."""
        attempts = [_Attempt(node) for node in self.nodes]
        reasons: dict[Node, str] = {}
        try:
            while (now := time.monotonic()) < end:
                spare = self._from_spare()
                if spare is not None:
                    return spare
                for attempt in attempts:
                    if attempt.node == self._spare.node:
                        continue
                    try:
                        if self._advance(attempt, now):
                            return attempt.node, None
                        if attempt.next_ask is not None:
                            reasons[attempt.node] = "takes no writes"
                    except psycopg2.Error as error:
                        reasons[attempt.node] = " ".join(str(error).split())
                        _drop(attempt)
                self._sleep_until_news(attempts, end)
        finally:
            for attempt in attempts:
                _drop(attempt)
        found = "; ".join(f"{node.host}:{node.port}: {reason}" for node, reason in reasons.items())
        raise psycopg2.OperationalError(f"no suitable database node answered in time ({found or 'silence'})")

    def _from_spare(self) -> tuple[Node, Connection] | None:
        node, connection = self._spare.node, self._spare.take()
        if connection is None or not isinstance(node, Node):
            return None
        connection.autocommit = False
        return node, connection

    def _advance(self, attempt: _Attempt, now: float) -> bool:
        """Go on with an attempt as far as it goes without waiting; True when its node is the right one."""
        if attempt.connection is None:
            if now < attempt.next_start:
                return False
            self._start(attempt, now)
        elif attempt.next_ask is not None:
            if now < attempt.next_ask:
                return False
            self._ask(attempt, now)
        elif now - attempt.started > self._limit:
            raise psycopg2.OperationalError("no answer in time")
        return self._answered(attempt, now)

    def _start(self, attempt: _Attempt, now: float) -> None:
        attempt.started, attempt.next_start = now, now + PAUSE_SECONDS
        parameters = self._parameters
        if self._writes:
            # libpq would hang up on a node that does not take writes; here it is kept and asked again.
            parameters = {**parameters, "target_session_attrs": "any"}
        node = attempt.node
        attempt.connection = psycopg2.connect(host=node.host, port=node.port, async_=1, **parameters)

    @staticmethod
    def _ask(attempt: _Attempt, now: float) -> None:
        if attempt.connection is None:
            raise RuntimeError("a node is asked before it is connected")
        attempt.started, attempt.next_ask = now, None
        attempt.question = attempt.connection.cursor()
        attempt.question.execute("show transaction_read_only")

    def _answered(self, attempt: _Attempt, now: float) -> bool:
        if attempt.connection is None:
            return False
        attempt.want = attempt.connection.poll()
        if attempt.want != extensions.POLL_OK:
            return False
        if not self._writes:
            return True
        if attempt.question is None:
            self._ask(attempt, now)
            attempt.want = attempt.connection.poll()
            return False
        if attempt.question.fetchone() == ("off",):
            return True
        attempt.next_ask = now + ASK_SECONDS
        return False

    def _sleep_until_news(self, attempts: list[_Attempt], end: float) -> None:
        poller = select.poll()
        wake = end if self._spare.node is None else min(end, self._spare.next_ask)
        for attempt in attempts:
            if attempt.node == self._spare.node:
                continue
            if attempt.connection is None:
                wake = min(wake, attempt.next_start)
            elif attempt.next_ask is not None:
                wake = min(wake, attempt.next_ask)
            else:
                wanted = select.POLLIN if attempt.want == extensions.POLL_READ else select.POLLOUT
                poller.register(attempt.connection.fileno(), wanted)
                wake = min(wake, attempt.started + self._limit)
        poller.poll(max(1.0, (wake - time.monotonic()) * 1000 + 1))


def _drop(attempt: _Attempt) -> None:
    if attempt.connection is not None:
        attempt.connection.close()
        attempt.connection = attempt.question = attempt.next_ask = None
        attempt.next_start = max(attempt.next_start, time.monotonic() + PAUSE_SECONDS / 4)
