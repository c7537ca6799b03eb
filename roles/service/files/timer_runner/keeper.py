# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Renews a lease while a job runs, in a thread, so that no wait for the server delays the job's end."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from .leases import Store

MARGIN = 5.0  # seconds between the end of a job and the time at which another host may take it over


class Keeper:
    """Knows until when this host may run the job, by the host's own monotonic clock.

    A lease counts from before it was asked for: so it ends here before it ends at the server.
    """

    def __init__(
        self, store: Store, token: int, asked_at: float, temporary: tuple[type[Exception], ...]
    ) -> None:
        self._store = store
        self._token = token
        self._temporary = temporary
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._valid_until = asked_at + store.lease_seconds
        self._taken_over = False

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def left(self) -> float:
        """Return for how many seconds the job may run on, if no renewal succeeds any more."""
        return 0.0 if self._taken_over else self._valid_until - MARGIN - time.monotonic()

    def _run(self) -> None:
        pause = self._store.lease_seconds / 6
        while not self._stopping.wait(pause):
            before = time.monotonic()
            try:
                self._taken_over = not self._store.renew(self._token)
            except self._temporary:
                pause = min(1.0, self._store.lease_seconds / 6)
                continue
            pause = self._store.lease_seconds / 6
            if self._taken_over:
                return
            self._valid_until = before + self._store.lease_seconds
