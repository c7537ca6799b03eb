"""Failed logins: counted in the request, told to others some seconds later.

A failed login changes nothing, so there is no transaction that its event could be part of. A write of its own in the
request would let anybody make the database write, and its time would tell whether there is such an account. So the
request only counts. A thread tells what came together, one event per account, in one transaction.
"""

import atexit
import os
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.events import publish
from tandem_common.problems import ProblemError

from users.events import UNKNOWN, LoginFailed

log = structlog.get_logger(__name__)
MOST_ACCOUNTS = 100
"""Told apart at once; failed logins of further ones count as those of unknown addresses do."""
LAST_SECONDS = 2.0
"""How long the last transaction of a process may wait for a primary."""


@dataclass(frozen=True)
class Tally:
    """Failed logins of one account, or of no account."""

    count: int
    first: datetime
    last: datetime

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.count + other.count, min(self.first, other.first), max(self.last, other.last))


class Failures:
    """The failed logins of one process that nobody was told of yet."""

    def __init__(self, database: Database, seconds: float, registry: CollectorRegistry) -> None:
        self._database = database
        self._seconds = seconds
        self._tallies: dict[uuid.UUID | None, Tally] = {}
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: int | None = None
        self._failed = Counter("login_failures", "Logins with a wrong password or address", registry=registry)

    def add(self, user_id: uuid.UUID | None) -> None:
        """Count a failed login; None for an address without an account. Costs the same for both."""
        now = datetime.now(UTC)
        self._failed.inc()
        with self._lock:
            self._merge({user_id: Tally(1, now, now)})
        self._start()
        self._some.set()

    def tell(self, wait: float | None = None) -> None:
        """Publish what was counted; it is kept if that fails."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
            self._some.clear()
        if not tallies:
            return

        def work(session: Session) -> None:
            for user_id, tally in tallies.items():
                event = LoginFailed.of(user_id, tally.count, tally.first, tally.last)
                publish(session, event, subject=str(user_id or UNKNOWN))

        try:
            self._database.transaction(work, wait=wait)
        except BaseException:
            # Perhaps told twice after an unknown outcome, but not lost.
            with self._lock:
                self._merge(tallies)
            self._some.set()
            raise

    def _merge(self, tallies: Mapping[uuid.UUID | None, Tally]) -> None:
        for user_id, tally in tallies.items():
            known = user_id in self._tallies or len(self._tallies) < MOST_ACCOUNTS
            key = user_id if known else None
            present = self._tallies.get(key)
            self._tallies[key] = present.plus(tally) if present else tally

    def _start(self) -> None:
        """Start once per process (the application may be created before a fork)."""
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                self._thread = threading.Thread(target=self._run, name="login-failures", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._some.wait()
            if self._closed.wait(self._seconds):
                return
            try:
                self.tell()
            except ProblemError as error:
                log.warning("failed logins are told later", reason=str(error))
            except Exception:
                log.exception("failed logins are told later")

    def close(self) -> None:
        """Tell what is left, and end; a process does so when it is asked to stop."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.tell(LAST_SECONDS)
        except ProblemError as error:
            log.error("failed logins were not told", reason=str(error))
