"""Units of work over the shared package's own small table, and a stopwatch."""

import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from support.postgres import Server


def make_common_database(server: Server) -> Server:
    """A database with one table."""
    server.add_database("common")
    server.execute("create table things (name text primary key)", "common")
    server.execute("grant select, insert, update, delete on things to common", "common")
    return server


def add(name: str) -> Callable[[Session], None]:
    """A unit of work."""
    return lambda session: void(session.execute(text("insert into things values (:name)"), {"name": name}))


def names(session: Session) -> list[str]:
    """A read."""
    return list(session.scalars(text("select name from things order by name")))


def void(_value: object) -> None:
    """Give back nothing: a result must not outlive its session."""


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start
