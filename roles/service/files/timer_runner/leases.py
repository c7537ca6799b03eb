# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: a lease per job in the service's own database, with a token that rises with every taking.

Tables (made with the database, plugins/module_utils/postgres_timers.py): `tandem.timers` has one row per job with
the newest token, `tandem.timer_runs` one per taking. Renewals change the second only, so that a job may hold a lock
on its row of the first while it writes (the fence). All times are the server's, so hosts' clocks play no part.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

HISTORY = 1000  # runs of a job that are kept
CALL_SECONDS = 8.0  # a server that hangs does not hang us
SKEW_SECONDS = 60  # a moment later than this, by the server's clock, is the mistake of a host's clock

ADD_JOB = "insert into tandem.timers (job) values (%s) on conflict do nothing"
LOCKED = "select token from tandem.timers where job = %s for update"
NEWEST = (
    "select extract(epoch from moment)::float8, host, extract(epoch from expires_at)::float8,"
    " extract(epoch from finished_at)::float8, outcome, exit_code,"
    " extract(epoch from finished_at - started_at)::float8"
    " from tandem.timer_runs where job = %s and token = %s for update"
)
NOW = "select extract(epoch from clock_timestamp())::float8"
MARK_LOST = "update tandem.timer_runs set outcome = 'lost' where job = %s and token = %s and outcome is null"
COUNT_ON = "update tandem.timers set token = %s where job = %s"
TAKE = (
    "insert into tandem.timer_runs (job, token, moment, host, expires_at)"
    " values (%s, %s, to_timestamp(%s), %s, clock_timestamp() + make_interval(secs => %s))"
)
FORGET = "delete from tandem.timer_runs where job = %s and token <= %s"
RENEW = (
    "update tandem.timer_runs set expires_at = clock_timestamp() + make_interval(secs => %s)"
    " where job = %s and token = %s and outcome is null"
)
FINISH = (
    "update tandem.timer_runs set finished_at = clock_timestamp(), outcome = %s, exit_code = %s"
    " where job = %s and token = %s and outcome is null"
)
GIVE_BACK = (
    "update tandem.timer_runs set expires_at = clock_timestamp(), outcome = 'stopped'"
    " where job = %s and token = %s and outcome is null"
)


@dataclass(frozen=True)
class Run:
    """A job's newest taking. Times in seconds since 1970; `finished` is None while it runs, and when it was lost."""

    moment: float
    host: str
    expires: float
    finished: float | None = None
    outcome: str | None = None
    exit_code: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Answer:
    """What became of an attempt: `take` (with a token), `wait` for `run`, or `settled` by it; `late`: too late."""

    kind: str
    run: Run | None = None
    token: int | None = None
    asked_at: float = 0.0  # of the host's monotonic clock


def decide(newest: Run | None, moment: float, host: str, now: float, start_until: float) -> str:
    """Return take, wait, settled or late for a moment, given the newest taking and the server's time.

    `start_until`: when the run of a moment may begin at the latest; a run that was begun is always completed.
    """
    if newest is not None and newest.finished is not None and newest.moment >= moment:
        return "settled"
    if newest is not None and newest.finished is None:
        # A host has one runner of a job at a time: what is taken in its own name was left by one that died.
        if newest.expires > now and newest.host != host:
            return "wait"
        if newest.moment >= moment:
            return "take"
    if moment > now + SKEW_SECONDS:
        return "wait"
    return "take" if now <= start_until else "late"


class UnknownOutcome(Exception):
    """The server committed, but its standby may not have: after a failover it would not have happened."""


class Store:
    """The leases of one job, for one host.

    `connect` returns a connection and the list of its warnings. Methods raise the driver's errors and
    `UnknownOutcome`; what was asked for may then have happened or not, and may be asked for again.
    """

    def __init__(
        self, connect: Callable[[], tuple[Any, list[Any]]], job: str, host: str, lease_seconds: float
    ) -> None:
        self._connect = connect
        self._connection: tuple[Any, list[Any]] | None = None
        self.job = job
        self.host = host
        self.lease_seconds = lease_seconds

    def take(self, moment: float, start_until: float) -> Answer:
        """Take the lease for a moment if it is this host's turn."""
        asked_at = time.monotonic()
        with self._transaction() as cursor:
            cursor.execute(ADD_JOB, (self.job,))
            cursor.execute(LOCKED, (self.job,))
            token = int(cursor.fetchone()[0])
            cursor.execute(NEWEST, (self.job, token))
            row = cursor.fetchone()
            newest = Run(*row) if row else None
            cursor.execute(NOW)
            now = float(cursor.fetchone()[0])
            kind = decide(newest, moment, self.host, now, start_until)
            if kind != "take":
                return Answer(kind, newest)
            begun = newest is not None and newest.finished is None and newest.moment >= moment
            wanted = newest.moment if newest is not None and begun else moment
            cursor.execute(MARK_LOST, (self.job, token))
            cursor.execute(COUNT_ON, (token + 1, self.job))
            cursor.execute(TAKE, (self.job, token + 1, wanted, self.host, self.lease_seconds))
            cursor.execute(FORGET, (self.job, token + 1 - HISTORY))
        return Answer("take", Run(wanted, self.host, now + self.lease_seconds), token + 1, asked_at)

    def renew(self, token: int) -> bool:
        """Prolong the lease; False when another host has it by now."""
        return self._changes(RENEW, (self.lease_seconds, self.job, token))

    def finish(self, token: int, outcome: str, exit_code: int | None) -> bool:
        """Record how a run ended; False when another host has taken it over."""
        return self._changes(FINISH, (outcome, exit_code, self.job, token))

    def give_back(self, token: int) -> bool:
        """Let another host run it, at once."""
        return self._changes(GIVE_BACK, (self.job, token))

    def close(self) -> None:
        """Leave the server; the next call comes back."""
        known, self._connection = self._connection, None
        if known is not None:
            known[0].close()

    def _changes(self, statement: str, values: tuple[Any, ...]) -> bool:
        with self._transaction() as cursor:
            cursor.execute(statement, values)
            return bool(cursor.rowcount == 1)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A cursor whose work is committed at the end, within CALL_SECONDS, else rolled back."""
        if self._connection is None:
            self._connection = self._connect()
        connection, warnings = self._connection
        guard = threading.Timer(CALL_SECONDS, _cut, [connection.fileno()])
        guard.daemon = True
        guard.start()
        try:
            try:
                with connection.cursor() as cursor:
                    yield cursor
                    # A COMMIT that waits for the standby and is cancelled, counts as done at the server.
                    cursor.execute("set local statement_timeout = 0")
                warnings.clear()
                connection.commit()
            finally:
                guard.cancel()
            if warnings:
                raise UnknownOutcome(" ".join(str(warnings[-1]).split()))
        except BaseException:
            self.close()
            raise


def _cut(descriptor: int) -> None:
    """End a connection under the driver that waits for it."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
