"""Configuration from the environment; anything invalid is refused, and the message says what to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import parse_dsn

from .memory import LONGEST_GAP, Limits

PREFIX = "STALL_GUARD_"
NAMES = (
    "MONITOR_DSN",
    "NODE_DSN",
    "FORMATION",
    "TICK_SECONDS",
    "STALL_SECONDS",
    "RESUME_SECONDS",
    "MAX_LAG_BYTES",
    "FRESH_SECONDS",
    "HUNG_SECONDS",
)


class InvalidConfiguration(ValueError):
    """The environment does not make a usable configuration; the message lists every problem."""


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration; times in seconds."""

    monitor_dsn: str
    node_dsn: str
    formation: str
    tick: float
    limits: Limits


class _Reader:
    """Reads values and collects problems, so that all of them are reported at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems = [
            f"{name} is not a setting of the stall guard (known: {', '.join(PREFIX + n for n in NAMES)})"
            for name in sorted(environment)
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in NAMES
        ]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.environment.get(PREFIX + name, default)
        if not value:
            self.problems.append(f"{PREFIX}{name} is not set")
            return ""
        return value

    def dsn(self, name: str, forbidden: tuple[str, ...] = ()) -> str:
        value = self.text(name)
        try:
            found = parse_dsn(value)
        except psycopg2.ProgrammingError as error:
            self.problems.append(f"{PREFIX}{name} is not a libpq connection string: {str(error).strip()}")
            return value
        for key in forbidden:
            if key in found:
                self.problems.append(
                    f"{PREFIX}{name} must not contain {key}: the monitor names the node to ask"
                )
        return value

    def number(self, name: str, default: float, low: float, high: float, zero: bool = False) -> float:
        given = self.environment.get(PREFIX + name, str(default))
        try:
            value = float(given)
        except ValueError:
            value = float("nan")
        if not (low <= value <= high or (zero and value == 0)):
            off = ", or 0 for off" if zero else ""
            self.problems.append(
                f"{PREFIX}{name} is {given!r}, expected a number from {low:g} to {high:g}{off}"
            )
            return default
        return value


def from_environment(environment: Mapping[str, str]) -> Config:
    """Return the configuration in `environment`.

    Raises InvalidConfiguration when a setting is missing, unknown or out of range.
    """
    read = _Reader(environment)
    tick = read.number("TICK_SECONDS", 1.0, 0.1, LONGEST_GAP / 2)
    config = Config(
        monitor_dsn=read.dsn("MONITOR_DSN"),
        node_dsn=read.dsn("NODE_DSN", forbidden=("host", "hostaddr", "port", "service")),
        formation=read.text("FORMATION", "default"),
        tick=tick,
        limits=Limits(
            stall=read.number("STALL_SECONDS", 4.0, 1.0, 3600.0),
            resume=read.number("RESUME_SECONDS", 3.0, 1.0, 3600.0),
            max_lag=int(read.number("MAX_LAG_BYTES", 1 << 20, 0, 1 << 40)),
            fresh=read.number("FRESH_SECONDS", 3.0, 1.0, 60.0),
            hung=read.number("HUNG_SECONDS", 10.0, 5.0, 3600.0, zero=True),
        ),
    )
    if tick > min(config.limits.stall, config.limits.resume):
        read.problems.append(f"{PREFIX}TICK_SECONDS must not be longer than STALL_SECONDS or RESUME_SECONDS")
    if read.problems:
        raise InvalidConfiguration("; ".join(read.problems))
    return config


def monitor_from_environment(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return (monitor's connection string, formation), all that a question about the state needs.

    Raises InvalidConfiguration when one of them is missing or invalid.
    """
    read = _Reader(environment)
    found = read.dsn("MONITOR_DSN"), read.text("FORMATION", "default")
    if read.problems:
        raise InvalidConfiguration("; ".join(read.problems))
    return found
