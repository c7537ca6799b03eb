# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""python3 -m timer_runner PLAN: started by a timer's unit, as the service's user, in its sandbox."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from .database import connector, driver, passing
from .leases import Store, UnknownOutcome
from .moments import CalendarError, systemd_calendar
from .plan import Plan
from .report import Reports
from .runner import Clock, Runner


def runner(plan: Plan, clock: Clock) -> Runner:
    """Return what runs this timer here."""
    host = os.environ["HOST_NAME"]
    reports = Reports(Path(os.environ["STATE_DIRECTORY"]))
    found = Runner(plan, host, systemd_calendar(plan.calendar), reports, clock)
    if plan.lease_seconds is not None:
        module = driver()
        found.store = Store(connector(module, plan.job), plan.job, host, plan.lease_seconds)
        found.temporary = (*passing(module), UnknownOutcome)
    return found


def main() -> int:
    """Read the plan whose path is the only argument, and follow it."""
    clock = Clock()
    signal.signal(signal.SIGTERM, lambda number, frame: clock.stopped.set())
    try:
        return runner(Plan.read(Path(sys.argv[1])), clock).settle()
    except CalendarError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
