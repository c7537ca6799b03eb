# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The job's process: in a group of its own, so that what it starts ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

POLL_SECONDS = 0.1
SIGNAL_BASE = 128  # a shell's exit status of a process that ended by a signal
NOT_STARTED = 127


class Job:
    """A process that was started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            list(command), env={**os.environ, **environment}, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def wait(self, seconds: float = POLL_SECONDS) -> int | None:
        """Return its exit status, None when it still runs after that long; 128 + n for signal n."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return SIGNAL_BASE - status if status < 0 else status

    def end(self, patience: float) -> int | None:
        """Ask it to end, kill it and its children after `patience` seconds; return its exit status."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while (status := self.wait()) is None and time.monotonic() < deadline:
            pass
        self._signal(signal.SIGKILL)
        return status if status is not None else self.wait(patience)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
