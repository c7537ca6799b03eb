"""Connections whose every wait ends on our own side.

A stopped server keeps its TCP connections alive, so that neither libpq nor the kernel notices anything.
psycopg2 therefore runs every connect and query through `wait_with_limit`.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

TCP = {
    "connect_timeout": "2",
    "tcp_user_timeout": "2000",
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "2",
}


class NoAnswer(psycopg2.OperationalError):
    """The server gave no answer of any kind within the limit."""


class LimitedConnection(extensions.connection):
    """A connection whose waits are limited to `limit` seconds each."""

    limit = 3.0


def wait_with_limit(connection: extensions.connection) -> None:
    """Wait until `connection` is ready; raises NoAnswer at its limit (psycopg2 then closes it)."""
    limit = getattr(connection, "limit", LimitedConnection.limit)
    end = time.monotonic() + limit
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        waiting = [connection.fileno()]
        reading = waiting if state == extensions.POLL_READ else []
        writing = waiting if state == extensions.POLL_WRITE else []
        left = end - time.monotonic()
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            raise NoAnswer(f"no answer within {limit:g} s")


def connect(
    dsn: str, factory: type[LimitedConnection], options: dict[str, str], **overrides: str | int
) -> LimitedConnection:
    """Open a connection in which every statement is its own transaction unless it says BEGIN.

    `options` are server settings for the session. Raises NoAnswer or another psycopg2.Error.
    """
    extensions.set_wait_callback(wait_with_limit)
    given: dict[str, Any] = {**TCP, **extensions.parse_dsn(dsn), **overrides}
    given["application_name"] = "stall_guard"
    given["options"] = " ".join(f"-c {name}={value}" for name, value in options.items())
    connection: LimitedConnection = psycopg2.connect(connection_factory=factory, **given)
    connection.autocommit = True
    return connection


def position(text: str) -> int:
    """Return a WAL position such as ``0/1A2B`` as a number of bytes."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def first_line(error: BaseException) -> str:
    """Return an error as one line for the log."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
