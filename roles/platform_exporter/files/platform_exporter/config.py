"""The configuration, a JSON file; anything invalid is refused, and the message says what to change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any


class InvalidConfiguration(ValueError):
    """The file does not make a usable configuration; the message lists every problem."""


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration.

    `collectors`: by name of those that are switched on, their own settings (docs/status.md has them).
    `scrapers`: common names of the certificates that may read the page.
    """

    address: str
    port: int
    certificate: str
    key: str
    authority: str
    scrapers: tuple[str, ...]
    collectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


WANTED = {
    "address": str,
    "port": int,
    "certificate": str,
    "key": str,
    "authority": str,
    "scrapers": list,
    "collectors": dict,
}


def read(path: Path, known: Mapping[str, frozenset[str]]) -> Config:
    """Read the file; `known` has the settings that each collector needs.

    Raises InvalidConfiguration.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(f"{path} can't be read: {error}") from None
    if not isinstance(given, dict):
        raise InvalidConfiguration(f"{path} is no JSON object")
    problems = [*_problems(given), *_collector_problems(given.get("collectors"), known)]
    if problems:
        raise InvalidConfiguration("; ".join(problems))
    return Config(**{**given, "scrapers": tuple(given["scrapers"])})


def _problems(given: Mapping[str, Any]) -> list[str]:
    required = {item.name for item in fields(Config) if item.default_factory is MISSING}
    return [
        *(f"{name} is missing" for name in sorted(required - set(given))),
        *(f"{name} is not known (known: {', '.join(WANTED)})" for name in sorted(set(given) - set(WANTED))),
        *(
            f"{name} is not of type {WANTED[name].__name__}"
            for name in sorted(set(given) & set(WANTED))
            if not isinstance(given[name], WANTED[name])
        ),
    ]


def _collector_problems(given: Any, known: Mapping[str, frozenset[str]]) -> list[str]:
    problems = []
    for name, settings in given.items() if isinstance(given, dict) else ():
        if name not in known:
            problems.append(f"collectors.{name} is not known (known: {', '.join(sorted(known))})")
        elif not isinstance(settings, dict) or set(settings) != known[name]:
            problems.append(f"collectors.{name} needs exactly these keys: {sorted(known[name])}")
    return problems
