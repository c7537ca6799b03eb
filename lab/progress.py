"""Progress lines with the seconds since the command began."""

from __future__ import annotations

import sys
import time


class Progress:
    """Prints to stderr, so that stdout stays free for what a command returns."""

    def __init__(self, quiet: bool = False) -> None:
        self._begin = time.monotonic()
        self._quiet = quiet

    @property
    def seconds(self) -> float:
        """Seconds since this object was made."""
        return time.monotonic() - self._begin

    def say(self, text: str) -> None:
        """Print one line."""
        if not self._quiet:
            print(f"[{self.seconds:6.1f} s] {text}", file=sys.stderr, flush=True)
