"""Time limits for database work that hold on the client's side.

A stopped or cut-off server keeps its TCP connection alive, and no setting of libpq ends a wait for its
answer. So every wait of psycopg2 runs through `wait`, which gives up at the deadline of the present thread.
psycopg2 then closes the connection, which is right: nobody knows what it would have answered.
"""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions

DEFAULT_SECONDS = 10.0
"""Limit of one wait in a thread that set no deadline (start-up, tests)."""

_present = threading.local()


def end(default_seconds: float = DEFAULT_SECONDS) -> float:
    """Moment (time.monotonic) at which the present thread's database work has to end."""
    value: float | None = getattr(_present, "end", None)
    return time.monotonic() + default_seconds if value is None else value


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Set the present thread's deadline, whatever it was outside."""
    before = getattr(_present, "end", None)
    _present.end = moment
    try:
        yield
    finally:
        _present.end = before


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Like until(), counted from now."""
    with until(time.monotonic() + seconds):
        yield


def wait(connection: extensions.connection) -> None:
    """psycopg2's wait callback: poll the connection until it is ready; OperationalError at the deadline."""
    moment = end()
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        left = moment - time.monotonic()
        if left <= 0 or not _ready(connection.fileno(), state, left):
            raise psycopg2.OperationalError("the database did not answer in time")


def _ready(descriptor: int, state: int, seconds: float) -> bool:
    poller = select.poll()  # not select(): descriptors may be beyond its limit of 1024
    poller.register(descriptor, select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
    return bool(poller.poll(seconds * 1000))


def install() -> None:
    """Make every psycopg2 connection of this process use `wait`."""
    extensions.set_wait_callback(wait)
