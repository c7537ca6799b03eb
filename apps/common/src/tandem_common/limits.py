"""Keeps slow work from taking every thread of a process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tandem_common.problems import Unavailable


class Limiter:
    """Lets a few threads in; a few more wait briefly, or not at all while those inside are in trouble.

    Trouble is work that takes longer than `stuck_seconds`, or whose last end was such, or was Unavailable. Waiting
    would then only take threads away from work that needs no permit.
    """

    def __init__(self, permits: int, *, wait_seconds: float = 1.5, stuck_seconds: float = 2.0) -> None:
        self._free = permits
        self._places = permits + 1
        self._wait = wait_seconds
        self._stuck = stuck_seconds
        self._trouble = False
        self._entered: dict[int, float] = {}
        self._changed = threading.Condition()

    @contextmanager
    def permit(self, what: str) -> Iterator[None]:
        """Hold one permit; raises Unavailable when there is none in time."""
        started = self._enter(what)
        trouble = True
        try:
            yield
            trouble = False
        except Unavailable:
            raise
        except Exception:
            trouble = False  # wrong input, say: nothing is slow or away
            raise
        finally:
            self._leave(trouble or time.monotonic() - started > self._stuck)

    def _enter(self, what: str) -> float:
        with self._changed:
            if not self._free:
                self._places -= 1
                entered = self._changed.wait_for(lambda: self._free > 0, timeout=self._patience())
                self._places += 1
                if not entered:
                    raise Unavailable(f"Too many {what} at the moment.", name="busy", title="Busy")
            self._free -= 1
            started = time.monotonic()
            self._entered[threading.get_ident()] = started
            return started

    def _leave(self, trouble: bool) -> None:
        with self._changed:
            self._free += 1
            self._trouble = trouble
            self._entered.pop(threading.get_ident(), None)
            self._changed.notify()

    def _patience(self) -> float:
        oldest = min(self._entered.values())
        stuck = time.monotonic() - oldest > self._stuck
        return 0.0 if stuck or self._trouble or self._places < 0 else self._wait
