"""Watches the database from the background, so that a health check never waits for it."""

import os
import threading
import time

import structlog
from prometheus_client import CollectorRegistry, Gauge

from tandem_common.database import Database

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
FRESH_SECONDS = 5.0
"""A result older than this counts as none (the watch itself hangs)."""
FIRST_RESULT_SECONDS = 2.0


class Watch:
    """Knows whether reads and writes are possible."""

    def __init__(self, database: Database, *, grace_seconds: float, registry: CollectorRegistry) -> None:
        self._database = database
        self._grace = grace_seconds
        self._read_at: float | None = None
        self._write_at: float | None = None
        self._checked = threading.Event()
        self._lock = threading.Lock()
        self._process: int | None = None
        self._gauge = Gauge(
            "database_reachable", "1 if such a node answered the last check", ["access"], registry=registry
        )

    def start(self) -> None:
        """Start once per process (the application may be created before a fork)."""
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._run, name="database-watch", daemon=True).start()

    def ready(self) -> bool:
        """True while a node could be read within the grace time; a failover does not change it."""
        self._checked.wait(FIRST_RESULT_SECONDS)
        return self._recent(self._read_at, FRESH_SECONDS + self._grace)

    def writable(self) -> bool:
        """True if the last check found a node that takes writes."""
        self._checked.wait(FIRST_RESULT_SECONDS)
        return self._recent(self._write_at, FRESH_SECONDS)

    @staticmethod
    def _recent(moment: float | None, seconds: float) -> bool:
        return moment is not None and time.monotonic() - moment <= seconds

    def _run(self) -> None:
        while not self._database.closed:
            started = time.monotonic()
            try:
                self.check()
            except Exception:
                # Without this thread the service would be taken out of traffic for no reason.
                log.exception("database check failed")
            self._checked.set()
            time.sleep(max(0.1, INTERVAL_SECONDS - (time.monotonic() - started)))
        # The last check may have connected again behind the close that ends the watch.
        self._database.close()

    def check(self) -> None:
        """Ask both kinds of node once."""
        readable = self._database.readable()
        self._read_at = time.monotonic() if readable else self._read_at
        writable = self._database.writable()
        self._write_at = time.monotonic() if writable else None
        self._gauge.labels("read").set(readable)
        self._gauge.labels("write").set(writable)
