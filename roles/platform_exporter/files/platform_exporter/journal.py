"""The log: one JSON object per line on standard error, which is the journal."""

from __future__ import annotations

import json
import sys


def say(level: str, event: str, message: str) -> None:
    """Write one line."""
    line = json.dumps({"level": level, "event": event, "message": message})
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
