"""One computation at a time for each key of a process; whoever comes meanwhile gets its result."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Flights:
    """Computations under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._present: dict[Hashable, Future[Any]] = {}

    def run(self, key: Hashable, work: Callable[[], T]) -> tuple[T, bool]:
        """The result of `work`, or of the same that is under way in another thread, and whether it was that.

        An exception reaches everybody who waits: the next one in would most likely meet it, too.
        """
        with self._lock:
            present = self._present.get(key)
            if present is None:
                own = self._present[key] = Future[Any]()
        if present is not None:
            return present.result(), True
        try:
            result = work()
        except BaseException as error:
            self._end(key)
            own.set_exception(error)
            raise
        self._end(key)
        own.set_result(result)
        return result, False

    def _end(self, key: Hashable) -> None:
        with self._lock:
            del self._present[key]
