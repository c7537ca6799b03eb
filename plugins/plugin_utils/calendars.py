# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Asking the controller's systemd whether it takes a schedule."""

from __future__ import annotations

import shutil
import subprocess

from .schedules import Calendar, calendar_problem

PROGRAM = "systemd-analyze"
SECONDS = 10  # for a program that answers at once


def controller_calendar() -> Calendar:
    """Return how to check schedules here: by systemd, or by the own grammar where systemd is not."""
    program = shutil.which(PROGRAM)
    return systemd_calendar(program) if program else calendar_problem


def systemd_calendar(program: str) -> Calendar:
    """Return the check that asks ``systemd-analyze``."""

    def problem(text: str) -> str | None:
        done = subprocess.run(
            [program, "calendar", "--", text], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode != 0:
            return (done.stderr.strip().splitlines() or [f"{PROGRAM} ends with {done.returncode}"])[-1]
        return "it never comes again" if "Next elapse: never" in done.stdout else None

    return problem
