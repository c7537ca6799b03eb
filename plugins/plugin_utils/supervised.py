# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a service gets besides, or otherwise, when it runs under supervisord. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

REVIVE_PROGRAM = "supervisord_revive.py"
# What supervisord and its listener need themselves, beside the instances.
OWN_MEMORY, OWN_TASKS = 64 * 1024**2, 8
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}
# Starts in a row that end within a second, before supervisord gives a program up (after 1, 2, … s).
RETRIES = 3


@dataclass(frozen=True)
class Rendered:
    """The rendered templates, with marks: supervisord's own, a program's, and what starts an instance."""

    config: str
    program: str
    start: str

    def texts(self) -> dict[str, str]:
        """Return all texts by name."""
        return asdict(self)

    def files(self, instances: int, number_mark: str) -> dict[str, str]:
        """Return the texts of the files in the revision's folder; one program per instance."""
        programs = {
            f"program-{number}.conf": self.program.replace(number_mark, str(number))
            for number in range(1, instances + 1)
        }
        return {"supervisord.conf": self.config, "start": self.start, **programs}


def settings(policy: str) -> dict[str, Any]:
    """Return supervisord's words for a restart policy; `revive`: whether what it gave up is started again."""
    name, _, count = policy.partition(":")
    if name == "no":
        # With no second to survive, also what ends at once has just ended.
        return {"autorestart": "false", "startsecs": 0, "startretries": 0, "revive": False}
    if name == "on-failure":
        retries = int(count) if count else RETRIES
        return {"autorestart": "unexpected", "startsecs": 1, "startretries": retries, "revive": not count}
    return {"autorestart": "true", "startsecs": 1, "startretries": RETRIES, "revive": True}


def limits(each: Mapping[str, Any], instances: int) -> str:
    """Return the unit's lines for limits that are given for one instance: all of them share a supervisord's."""
    lines = []
    if each["memory"]:
        lines.append(f"MemoryMax={_bytes(str(each['memory'])) * instances + OWN_MEMORY}")
    if each["cpu"]:
        lines.append(f"CPUQuota={int(str(each['cpu']).rstrip('%')) * instances}%")
    if each["tasks"]:
        lines.append(f"TasksMax={int(each['tasks']) * instances + OWN_TASKS}")
    return "\n".join(lines)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    if found is None:
        raise ValueError(f"{text} is not a size")
    return int(found[1]) * UNITS.get(found[2], 1)
