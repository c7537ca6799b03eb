# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Scheduled moments: all hosts give a run the same name, whenever exactly their timers fire."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
from collections.abc import Callable

# The first moment later than a time, None when the schedule does not come again. Seconds since 1970.
NextAfter = Callable[[int], int | None]

ANALYZE = "/usr/bin/systemd-analyze"
ANALYZE_SECONDS = 20
ELAPSE = re.compile(r"Next elapse: (?:\w+ )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
LONGEST_WINDOW = 2**28  # eight years: also the 29th of February is in it


class CalendarError(Exception):
    """systemd can't read the schedule; the message is what it said."""


def latest(now: int, next_after: NextAfter) -> int | None:
    """Return the newest moment that is not later than `now`, None when there was none for eight years.

    systemd only tells the next moment after a time. So: go back in doubling steps until there is one before `now`,
    then halve the distance.
    """
    window = 2
    while not _has_moment(now - window, now, next_after):
        window *= 2
        if window > LONGEST_WINDOW:
            return None
    before, too_late = now - window, now
    while too_late - before > 1:
        middle = (before + too_late) // 2
        if _has_moment(middle, now, next_after):
            before = middle
        else:
            too_late = middle
    return next_after(before)


def _has_moment(after: int, until: int, next_after: NextAfter) -> bool:
    found = next_after(after)
    return found is not None and found <= until


def systemd_calendar(text: str) -> NextAfter:
    """Return the function that asks systemd about a calendar expression, which names its time zone."""

    def next_after(seconds: int) -> int | None:
        command = [ANALYZE, "calendar", f"--base-time=@{seconds}", "--", text]
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANALYZE_SECONDS, check=False, env=environment
        )
        if done.returncode:
            raise CalendarError(f"systemd does not take the schedule {text!r}: {done.stderr.strip()}")
        found = ELAPSE.search(done.stdout)
        return _seconds(found[1]) if found else None

    return next_after


def _seconds(text: str) -> int:
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
    return int(moment.timestamp())


def shown(moment: float) -> str:
    """Return a time as people and machines read it: 2026-11-25T09:00:00Z."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
