"""SIGTERM and SIGINT as a wish that the main loop looks at."""

import select
import signal
import socket
import threading
import time
from typing import Any


class Stop:
    """Set once; a wait on it, or on a descriptor beside it, ends at once then."""

    def __init__(self) -> None:
        self._ends, self._wakes = socket.socketpair()
        self._set = False

    def set(self, *_signal: Any) -> None:
        """Ask for the end; also a signal's handler."""
        if not self._set:
            self._set = True
            self._wakes.send(b"x")

    def __bool__(self) -> bool:
        return self._set

    def wait(self, seconds: float, *descriptors: int) -> None:
        """Sleep until there is a wish, one of the descriptors can be read, or the time is over."""
        poller = select.poll()
        for descriptor in (self._ends.fileno(), *descriptors):
            poller.register(descriptor, select.POLLIN)
        poller.poll(max(0.0, seconds) * 1000)


def on_signals() -> Stop:
    """A wish that SIGTERM and SIGINT set; only in the main thread."""
    stop = Stop()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop.set)
        signal.signal(signal.SIGINT, stop.set)
    return stop


def backoff(failures: int, first: float, most: float) -> float:
    """Seconds to wait after so many failures in a row, as a moment of time.monotonic()."""
    return time.monotonic() + min(most, first * 2.0 ** min(failures - 1, 16))
