"""Locks between lab commands that run at the same time.

The lab's lock guards what all hosts share (network, DNS, list of hosts, base image); a host's lock guards its
life (boot, stop, reset). A command takes the lab's lock before any host's lock, never the other way round.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.paths import RUN

LOCKS = (RUN / "lock", RUN / "locks")

WAIT = 900.0
"""Seconds to wait for another command: building the base image takes the longest."""


@contextmanager
def lab_lock() -> Iterator[None]:
    """Hold what all hosts share."""
    with file_lock(RUN / "lock"):
        yield


@contextmanager
def host_lock(name: str) -> Iterator[None]:
    """Hold one host's life."""
    with file_lock(RUN / "locks" / name):
        yield


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold a file, which is made if needed."""
    descriptor = _open(path)
    try:
        _acquire(descriptor, path)
        while not _same(descriptor, path):  # `down` removed it while this waited
            os.close(descriptor)
            descriptor = _open(path)
            _acquire(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _same(descriptor: int, path: Path) -> bool:
    return path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino


def _acquire(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 20, 0).decode() or "unknown"
                raise LabError(
                    f"another lab command (process {holder}) has held {path} for {WAIT:.0f} s",
                    f"look at it with `ps {holder}` and end it if it hangs",
                ) from None
            time.sleep(0.05)
        else:
            return
