# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Timers as systemd shows them, and changes to them. Knows nothing of Ansible.

A timer is /etc/systemd/system/<name>.timer, which starts <name>.service, a unit that runs its job once. A run that
goes on while another revision is deployed ends with the one it has; the next run takes the new one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import service_host
from .instances_plan import Expected
from .instances_systemd import Systemd

STATE = Path("/var/lib/tandem/timers")
STAMPS = Path("/var/lib/systemd/timers")
VENDOR = Path("/usr/lib/systemd/system")
TIMER_PROPERTIES = ("ActiveState", "SubState", "UnitFileState", "NextElapseUSecRealtime")
JOB_PROPERTIES = ("ActiveState", "MainPID", "MemoryCurrent", "ExecMainStartTimestamp")


@dataclass(frozen=True)
class Timer:
    """What is known of one timer now; `revision` is of the job that runs, "" where none does."""

    name: str
    active: str
    sub: str
    enabled: bool
    next: str
    job_active: str
    pid: int
    memory: int | None
    started: str
    revision: str

    @property
    def waiting(self) -> bool:
        """Whether it will start its job."""
        return self.active == "active"

    @property
    def runs(self) -> bool:
        """Whether its job runs, or waits for another host."""
        return self.job_active in ("activating", "active", "deactivating")


def look(name: str, systemd: Systemd) -> Timer:
    """Return a timer as it is now, also one that does not exist."""
    timer = systemd.properties(f"{name}.timer", TIMER_PROPERTIES)
    job = systemd.properties(f"{name}.service", JOB_PROPERTIES)
    pid = int(job.get("MainPID") or 0)
    memory = job.get("MemoryCurrent", "")
    return Timer(
        name=name,
        active=timer.get("ActiveState", "inactive"),
        sub=timer.get("SubState", "dead"),
        enabled=timer.get("UnitFileState") == "enabled",
        next=timer.get("NextElapseUSecRealtime", ""),
        job_active=job.get("ActiveState", "inactive"),
        pid=pid,
        memory=int(memory) if memory.isdecimal() else None,
        started=job.get("ExecMainStartTimestamp", ""),
        revision=systemd.revision(pid),
    )


@dataclass(frozen=True)
class TimerPlan:
    """What has to be done to one timer; `changed`: the unit files that are not as they shall be."""

    service: Expected
    changed: tuple[str, ...]
    enable: bool
    start: bool

    @property
    def lines(self) -> list[str]:
        """One line per thing to do."""
        unit = f"{self.service.name}.timer"
        return [
            *(f"install {name}" for name in self.changed),
            *([f"enable {unit}"] if self.enable else []),
            *([f"start {unit}"] if self.start else []),
        ]


def wanted_texts(service: Expected) -> dict[str, str | None]:
    """Return the unit files of a timer by name; None when check mode has not placed the revision yet."""
    return {
        f"{service.name}.service": service_host.unit_text(service.name, service.revision),
        f"{service.name}.timer": service_host.timer_text(service.name, service.revision),
    }


def plan(service: Expected, found: Timer, systemd: Systemd) -> TimerPlan:
    """Compare a timer with what is on the host. Raises `HostError` when the host has such a unit of its own."""
    wanted = wanted_texts(service)
    for name in wanted:
        if (VENDOR / name).exists():
            raise service_host.HostError(f"{name} is a unit of this host's system. Next: rename the timer")
    changed = [name for name, text in wanted.items() if text is None or text != systemd.unit(name)]
    return TimerPlan(service, tuple(changed), not found.enabled, not found.waiting)


def apply(item: TimerPlan, systemd: Systemd) -> None:
    """Install, enable and start; a timer that is changed counts its time anew."""
    name = item.service.name
    for unit, text in wanted_texts(item.service).items():
        if text is None:
            raise service_host.HostError(f"revision {item.service.revision} of {name} is not on this host")
        if unit in item.changed:
            systemd.write_unit(unit, text)
    if item.changed:
        # Of an entry of this name that was a service before.
        systemd.remove_unit(f"{name}@.service")
        systemd.reload()
    if f"{name}.timer" in item.changed:
        systemd.call("stop", "--", f"{name}.timer")
    resume(item, systemd)


def resume(item: TimerPlan, systemd: Systemd) -> None:
    """Enable and start a timer that is installed."""
    systemd.call("enable", "--quiet", "--now", "--", f"{item.service.name}.timer")


def stop(name: str, systemd: Systemd) -> None:
    """Stop a timer, then its job, which another host may take over."""
    for unit in installed(name, systemd):
        systemd.call("stop", "--", unit)


def installed(name: str, systemd: Systemd) -> list[str]:
    """Return the unit files of a timer that are on this host, none for an entry that was never a timer."""
    return [unit for unit in (f"{name}.timer", f"{name}.service") if systemd.unit(unit) is not None]


def remove(names: Sequence[str], systemd: Systemd) -> None:
    """Remove timers with all that systemd and the runner remember of them."""
    for name in names:
        stop(name, systemd)
        for unit in installed(name, systemd):
            systemd.call("disable", "--quiet", "--", unit)
            systemd.remove_unit(unit)
        (STAMPS / f"stamp-{name}.timer").unlink(missing_ok=True)
        if (STATE / name).exists():
            shutil.rmtree(STATE / name)
        systemd.reload()
        systemd.forget_failures(f"{name}.service", f"{name}.timer")


def last_result(name: str) -> dict[str, Any]:
    """Return what the runner kept of the newest moment that was settled, {} before the first."""
    try:
        found = json.loads((STATE / name / "last.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
