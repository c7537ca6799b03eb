"""Leaves alone what does not work, and finds out in the background when it works again."""

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

FAILURES = 3
"""In a row, after which nobody tries any more."""
PROBE_SECONDS = 1.0


class Breaker:
    """Open (not usable) after some failures in a row, until `probe` succeeds in a thread of its own."""

    def __init__(self, probe: Callable[[], bool], changed: Callable[[bool], None]) -> None:
        self._probe = probe
        self._changed = changed
        self._lock = threading.Lock()
        self._failures = 0
        self._open = False

    @property
    def usable(self) -> bool:
        """Whether to try."""
        return not self._open

    def succeeded(self) -> None:
        """Forget the failures before. Says nothing while it is open: an old request may end late."""
        if self._failures and not self._open:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """Count a failure; the last one opens and starts the probes."""
        with self._lock:
            self._failures += 1
            if self._open or self._failures < FAILURES:
                return
            self._open = True
        log.warning("cache left alone", failures=FAILURES)
        self._changed(False)
        threading.Thread(target=self._wait, name="cache-probe", daemon=True).start()

    def _wait(self) -> None:
        time.sleep(PROBE_SECONDS)
        while not self._probe():
            time.sleep(PROBE_SECONDS)
        with self._lock:
            self._failures = 0
            self._open = False
        log.info("cache used again")
        self._changed(True)
