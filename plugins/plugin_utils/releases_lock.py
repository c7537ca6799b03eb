# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Read a requirements lock: exact versions with hashes, as `uv pip compile --generate-hashes` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .releases_target import Target, without_marker

HASH = re.compile(r"--hash[= ]sha256:([0-9a-f]{64})")
MAKE_LOCK = (
    "uv pip compile --generate-hashes --python-version {python} --only-binary :all: pyproject.toml "
    "-o requirements.lock"
)


class LockError(Exception):
    """A lock can't be used; the message names the line and the cure."""


@dataclass(frozen=True)
class Pin:
    """One package of a lock: its normal name, the requirement without marker, the hashes of its files."""

    name: str
    requirement: str
    hashes: frozenset[str]

    def line(self) -> str:
        """Return it as a line that pip reads."""
        return " ".join([self.requirement, *(f"--hash=sha256:{digest}" for digest in sorted(self.hashes))])


@dataclass(frozen=True)
class Lock:
    """What a lock asks for on the hosts: package pins, and option lines such as `--index-url`."""

    pins: tuple[Pin, ...]
    options: tuple[str, ...]


def parse_lock(text: str, target: Target) -> Lock:
    """Return the pins that apply on the hosts. Raises `LockError`, which lists every wrong line."""
    pins: list[Pin] = []
    options: list[str] = []
    problems: list[str] = []
    for line in _logical_lines(text):
        if line.startswith("-"):
            options.append(line)
            continue
        try:
            requirement = Requirement(line.split(" --hash", 1)[0].strip())
        except InvalidRequirement as error:
            problems.append(f"'{line[:80]}' is not a requirement ({error})")
            continue
        hashes = frozenset(HASH.findall(line))
        if not hashes:
            how = MAKE_LOCK.format(python=target.python)
            problems.append(f"{requirement.name} has no sha256 hash; make the lock by: {how}")
        elif target.applies(requirement.marker):
            pins.append(Pin(canonicalize_name(requirement.name), without_marker(requirement), hashes))
    problems += _doubles(pins)
    if problems:
        raise LockError("\n".join(problems))
    return Lock(tuple(pins), tuple(options))


def _doubles(pins: list[Pin]) -> list[str]:
    names = [pin.name for pin in pins]
    return [f"{name} is pinned twice" for name in sorted(set(names)) if names.count(name) > 1]


def _logical_lines(text: str) -> list[str]:
    """Return lines without comments, with continuation lines joined."""
    joined = re.sub(r"\\\r?\n", " ", re.sub(r"(?m)^\s*#.*$", "", text))
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [re.sub(r"\s+", " ", line) for line in lines if line]
