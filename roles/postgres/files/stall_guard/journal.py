"""Lines for the journal, and the service manager's notifications."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

_LEVELS = {"error": 3, "warning": 4, "notice": 5, "info": 6}


def say(level: str, event: str, message: str, **details: Any) -> None:
    """Write one line of JSON; under systemd its level becomes the journal's priority."""
    prefix = f"<{_LEVELS[level]}>" if "JOURNAL_STREAM" in os.environ else ""
    line = {"level": level, "event": event, "message": message, **details}
    sys.stdout.write(prefix + json.dumps(line) + "\n")
    sys.stdout.flush()


def notify(message: str) -> None:
    """Tell the service manager something (``READY=1``, ``STATUS=...``); silent without one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(message.encode(), "\0" + address[1:] if address[0] == "@" else address)


class Changes:
    """Says a thing when it changes, not every second."""

    def __init__(self, write: Callable[..., None] = say) -> None:
        self._write = write
        self._last: dict[str, str] = {}

    def report(self, subject: str, message: str) -> None:
        """Say what is wrong with `subject`, unless that was the last thing said about it."""
        if self._last.get(subject) != message:
            self._last[subject] = message
            self._write("warning", f"{subject}_not_fine", message)

    def fine(self, subject: str) -> None:
        """Say that `subject` is fine again, if something was wrong with it."""
        if self._last.pop(subject, None) is not None:
            self._write("info", f"{subject}_fine", f"the {subject} is fine again")
