# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a host keeps of its services: manifests, revisions, units. Knows nothing of Ansible."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

SETTINGS = Path("/etc/tandem/services")
LOCK = Path("/run/lock/tandem-services.lock")
# Longer than the host's autoscale takes for a step: requests end (30 s), an instance stops (35 s).
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.2


class HostError(Exception):
    """What the host keeps can't be used; the message says what to do."""


def deployed() -> list[str]:
    """Return the services that were deployed to this host, by name."""
    return sorted(path.parent.name for path in SETTINGS.glob("*/manifest.json"))


def manifest(service: str) -> dict[str, Any]:
    """Return what was last deployed of a service. Raises `HostError` when nothing was."""
    try:
        found: dict[str, Any] = json.loads((SETTINGS / service / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(deployed()) or "none"
        raise HostError(f"{service} is not deployed on this host (deployed: {known})") from None
    except ValueError as error:
        raise HostError(
            f"{service}: its manifest is not valid JSON ({error}). Next: deploy it again"
        ) from None
    return found


def unit_text(service: str, revision: str) -> str | None:
    """Return the unit template of a revision, a timer's unit; None when the host does not have it."""
    return _text(SETTINGS / service / "revisions" / revision / "unit")


def timer_text(service: str, revision: str) -> str | None:
    """Return the timer of a revision, None when the host does not have it."""
    return _text(SETTINGS / service / "revisions" / revision / "timer")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


@contextmanager
def exclusive(path: Path = LOCK, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Keep a second run from changing instances at the same time. Raises `HostError` after `patience` seconds."""
    deadline = time.monotonic() + patience
    with path.open("w") as stream:
        while not _locked(stream):
            if time.monotonic() >= deadline:
                raise HostError("another run changes instances on this host. Next: wait for it, run again")
            time.sleep(POLL_SECONDS)
        yield


def _locked(stream: TextIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
