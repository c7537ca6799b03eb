# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a timer's runner on a host is told (roles/service/files/timer_runner reads it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .schedules import with_zone

# The shortest lease: a renewal every sixth of it, a few failed ones, and the time to end a job, must fit in.
SHORTEST_LEASE = 20


@dataclass(frozen=True)
class Times:
    """Seconds: how long a lease lasts without renewal, and how long after its moment a run may begin."""

    lease: int = 60
    grace: int = 300


def calendar(view: Mapping[str, Any]) -> str:
    """Return the schedule of a timer's view, with its time zone."""
    return with_zone(str(view["schedule"]["calendar"]))


def plan(view: Mapping[str, Any], command: list[str], times: Times) -> dict[str, Any]:
    """Return the runner's file: without a database the entry has one host, or every host runs the job."""
    schedule = view["schedule"]
    leased = schedule["run_on"] == "one_host" and view["database"] is not None
    return {
        "job": view["name"],
        "calendar": calendar(view),
        "command": command,
        "catch_up": schedule["missed"] == "run",
        "timeout_seconds": schedule["timeout_s"],
        "grace_seconds": times.grace,
        "lease_seconds": times.lease if leased else None,
    }
