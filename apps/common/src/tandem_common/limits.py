"""Keeps slow work from taking every thread of a process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tandem_common.problems import Unavailable


class Limiter:
    """Lets a few threads in; the rest wait briefly, or not at all when those inside are stuck."""

    def __init__(self, permits: int, *, wait_seconds: float = 0.5, stuck_seconds: float = 1.0) -> None:
        self._free = permits
        self._wait = wait_seconds
        self._stuck = stuck_seconds
        self._entered: dict[int, float] = {}
        self._changed = threading.Condition()

    @contextmanager
    def permit(self, what: str) -> Iterator[None]:
        """Hold one permit; raises Unavailable when there is none in time."""
        with self._changed:
            if not self._changed.wait_for(self._may_enter, timeout=self._patience()):
                raise Unavailable(f"Too many {what} at the moment.", name="busy", title="Busy")
            self._free -= 1
            self._entered[threading.get_ident()] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._entered.pop(threading.get_ident(), None)
                self._changed.notify()

    def _may_enter(self) -> bool:
        return self._free > 0

    def _patience(self) -> float:
        """When the oldest holder has been inside for long (a silent database), waiting helps nobody."""
        oldest = min(self._entered.values(), default=time.monotonic())
        return 0.0 if time.monotonic() - oldest > self._stuck else self._wait
