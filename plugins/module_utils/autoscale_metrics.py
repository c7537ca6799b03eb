# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a service on this host has to do: requests at the door, messages in its queues. Knows nothing of Ansible.

Whatever can't be found out is None, and says why on standard output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .instances_door import Door, DoorError
from .instances_systemd import Systemd, SystemdError

FOLDER = Path("/run/tandem-autoscale")
# A rate over less would be one of single requests.
SHORTEST_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """How many requests a HAProxy process had handed to a service, and when."""

    process: str
    requests: int
    at: float

    @staticmethod
    def read(values: Any) -> Sample | None:
        """Read one from a state file, None where there is none."""
        if not isinstance(values, Mapping):
            return None
        return Sample(str(values["process"]), int(values["requests"]), float(values["at"]))


def sample(service: str, door: Door, now: float) -> Sample | None:
    """Count a service's requests, None without a door or when the door does not know the service."""
    try:
        requests = door.requests().get(service)
        return None if requests is None else Sample(door.process(), requests, now)
    except DoorError as error:
        print(f"{service}: {error}")
        return None


def rate(before: Sample | None, after: Sample | None) -> float | None:
    """Return requests per second between two samples of one process."""
    if before is None or after is None or before.process != after.process:
        return None
    seconds = after.at - before.at
    if seconds < SHORTEST_SECONDS or after.requests < before.requests:
        return None
    return (after.requests - before.requests) / seconds


def queue_length(service: str, systemd: Systemd, folder: Path = FOLDER) -> float | None:
    """Ask the service's own command, in its own unit with its own credentials, how many messages wait for it."""
    path = folder / f"{service}.length"
    path.unlink(missing_ok=True)
    try:
        systemd.call("start", "--", f"{service}-queue-length.service")
        text = path.read_text(encoding="utf-8").strip()
    except (SystemdError, OSError) as error:
        print(f"{service}: the length of its queues is not known: {error}")
        return None
    if not text.isdecimal():
        print(f"{service}: the command queue-length printed no number: {text[:80]!r}")
        return None
    return float(text)
