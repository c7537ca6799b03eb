# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What the runner is told by the file that the platform places (plugins/plugin_utils/timers.py writes it)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """One timer.

    `lease_seconds`: how long a lease lasts without renewal, None when every host has a run of its own.
    `grace_seconds`: how long after its moment a run may begin, if missed runs are not caught up.
    """

    job: str
    calendar: str
    command: list[str]
    catch_up: bool
    timeout_seconds: float
    grace_seconds: float
    lease_seconds: float | None

    @staticmethod
    def read(path: Path) -> Plan:
        """Read the file."""
        return Plan(**json.loads(path.read_text(encoding="utf-8")))

    def start_until(self, moment: float) -> float:
        """Return until when the run of a moment may begin."""
        return float("inf") if self.catch_up else moment + self.grace_seconds
