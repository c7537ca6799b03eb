"""One build at a time: two checkouts share the cache, and what one has built the other need not build."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from packages import places
from packages.console import say


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other `make packages` of this user runs, and keep others waiting."""
    file = places.cache() / "lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another `make packages`")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
