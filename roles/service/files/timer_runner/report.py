# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What became of a moment: one line in the service's log, and a file on the host for people and exporters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .moments import shown

FILE = "last.json"


@dataclass(frozen=True)
class Result:
    """How the run of a moment ended, here or on another host. Times in seconds since 1970."""

    job: str
    moment: float
    host: str
    outcome: str
    exit_code: int | None = None
    seconds: float | None = None
    finished: float | None = None
    token: int | None = None

    def line(self) -> str:
        """Return the log's line."""
        values = {
            "moment": shown(self.moment),
            "outcome": self.outcome,
            "host": self.host,
            "exit_code": self.exit_code,
            "seconds": None if self.seconds is None else f"{self.seconds:.3f}",
            "token": self.token,
        }
        known = (f"{key}={value}" for key, value in values.items() if value is not None)
        return " ".join([f"timer {self.job}", *known])


class Reports:
    """The log and the file in a folder that outlives the runs; the file also knows the last success."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def tell(self, result: Result) -> None:
        """Print the result and keep it."""
        print(result.line(), flush=True)
        succeeded = result.finished if result.outcome == "succeeded" else self._before().get("last_success")
        text = json.dumps({**asdict(result), "last_success": succeeded}, sort_keys=True)
        new = self._file.with_suffix(".new")
        new.write_text(text + "\n", encoding="utf-8")
        new.chmod(0o644)
        new.replace(self._file)

    def _before(self) -> dict[str, object]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
