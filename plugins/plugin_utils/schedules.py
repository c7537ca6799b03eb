# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""When a timer runs and how long: systemd's calendar expressions and time spans, as far as they are common.

``calendar_problem`` is a small grammar of one's own, for controllers without systemd. Where systemd is there, it is
asked (plugins/action/derive.py), and takes whatever it knows.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from .problems import shown
from .schema import wrong

# Returns what is wrong with a calendar expression, or None when systemd takes it and it comes again.
Calendar = Callable[[str], str | None]

SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
SPAN = re.compile(r"(\d{1,6}) ?(s|min|m|h|d)(?![a-z])")
DEFAULT_TIMEOUT = 15 * 60
LONGEST_TIMEOUT = 24 * 3600

# No quotes, percent signs or line ends: the expression goes into a unit as it is.
CHARACTERS = re.compile(r"[A-Za-z0-9*,.:/~_+ -]{1,200}")
SHORTHANDS = frozenset(
    {
        *("minutely", "hourly", "daily", "weekly", "monthly", "yearly", "annually"),
        *("quarterly", "semiannually", "semi-annually", "biannually", "bi-annually"),
    }
)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_NUMBERS = {name: number for number, day in enumerate(DAYS) for name in (day, day[:3])}
DATE = re.compile(r"(?:(?P<year>\*)-)?(?P<month>[^-~ ]+)(?P<mark>[-~])(?P<day>[^-~ ]+)")
TIME = re.compile(r"(?P<hour>[^:]+):(?P<minute>[^:]+)(?::(?P<second>[^:]+))?")
ITEM = re.compile(r"\*|(?P<first>\d{1,2})(?:\.\.(?P<last>\d{1,2}))?(?:/(?P<step>\d{1,2}))?")
RANGES = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def seconds(value: Any) -> int:
    """Return the seconds of a time span, as in ``15min`` or ``1h 30min``; raises pydantic's error."""
    text = value.strip() if isinstance(value, str) else ""
    parts = SPAN.findall(text)
    if not parts or SPAN.sub("", text).strip():
        raise wrong(
            f"{shown(value)} is not a time span", "write it with s, min or h, as in 15min or 1h 30min"
        )
    total = sum(int(number) * SECONDS[unit] for number, unit in parts)
    if not 1 <= total <= LONGEST_TIMEOUT:
        raise wrong(
            f"{shown(value)} is {total} s", "write 1s to 24h; what runs longer is a worker, not a timer"
        )
    return total


def with_zone(text: str) -> str:
    """Return a calendar expression with its time zone, UTC if it names none: hosts must agree about moments."""
    return text if _is_zone(text.split()[-1]) else f"{text} UTC"


def calendar_problem(text: str) -> str | None:
    """Return what is wrong with a calendar expression, or None.

    Takes the shorthands, and ``[DAYS] [[*-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE]`` with ``*``, lists, ranges
    (``..``) and steps (``/``). A fixed year is refused: such a timer does not come again.
    """
    if text.lower() in SHORTHANDS:
        return None
    words = text.split()
    if not words:
        return "it is empty"
    if _are_days(words[0]):
        words = words[1:]
    if words and (found := DATE.fullmatch(words[0])):
        problem = _date_problem(found)
        if problem:
            return problem
        words = words[1:]
    if words and (found := TIME.fullmatch(words[0])):
        problem = _fields_problem(found.groupdict())
        if problem:
            return problem
        words = words[1:]
    if words and words[0] != text and _is_zone(words[0]):
        words = words[1:]
    return f"{shown(words[0])} is neither days, date, time nor time zone" if words else None


def _date_problem(found: re.Match[str]) -> str | None:
    month, day = found["month"], found["day"]
    problem = _fields_problem({"month": month, "day": day})
    if problem or not (month.isdecimal() and day.isdecimal()) or found["mark"] == "~":
        return problem
    if int(day) > DAYS_OF_MONTH[int(month) - 1]:
        return f"month {int(month)} has no day {int(day)}"
    return None


def _fields_problem(fields: dict[str, str | None]) -> str | None:
    for name, text in fields.items():
        if text is not None and not all(_is_item(item, *RANGES[name]) for item in text.split(",")):
            low, high = RANGES[name]
            return f"{shown(text)} is no {name} ({low} to {high}, *, lists, ranges with .., steps with /)"
    return None


def _are_days(text: str) -> bool:
    """Tell whether the text names days of the week: ``Mon``, ``Mon..Fri``, ``mon,wed..fri``."""
    for item in text.lower().split(","):
        numbers = [DAY_NUMBERS.get(name) for name in item.split("..")]
        known = [number for number in numbers if number is not None]
        if len(numbers) > 2 or known != numbers or known != sorted(known):
            return False
    return True


def _is_item(text: str, low: int, high: int) -> bool:
    found = ITEM.fullmatch(text)
    if found is None:
        return False
    numbers = [int(found[key]) for key in ("first", "last") if found[key]]
    steps = not found["step"] or int(found["step"]) > 0
    return steps and numbers == sorted(numbers) and all(low <= number <= high for number in numbers)


def _is_zone(text: str) -> bool:
    if text == "UTC":
        return True
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
