# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What runs of services on a host, as a person wants to see it. Knows nothing of Ansible."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import instances_timers as timers
from . import service_host
from .instances_managers import Managers
from .instances_systemd import Instance

RELEASE = re.compile(r"/releases/([0-9a-f]+)/")
PAGE = 4096


def rows(names: Sequence[str], managers: Managers) -> list[dict[str, Any]]:
    """Return one row per instance, and per timer, of what is deployed here. Raises `HostError` for others."""
    manifests = {name: service_host.manifest(name) for name in names}
    counts = {name: int(manifest["instances"]) for name, manifest in manifests.items()}
    wanted = {name: str(manifest.get("manager", "systemd")) for name, manifest in manifests.items()}
    found = managers.instances(counts, wanted)
    result = []
    for name in names:
        if manifests[name].get("timer"):
            result.append(_timer_row(timers.look(name, managers.systemd), manifests[name]))
        result += [_row(instance, manifests[name]) for instance in found[name].instances]
    return result


def _timer_row(timer: timers.Timer, manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        "service": timer.name,
        "instance": None,
        "state": f"{timer.active} ({'running' if timer.runs else timer.sub})",
        "revision": timer.revision or manifest["revision"],
        "release": manifest["release"],
        "since": timer.started if timer.runs else "-",
        "memory": _memory_text(timer.pid, timer.memory) if timer.runs else "-",
        "note": _timer_note(timer, timers.last_result(timer.name)),
    }


def _timer_note(timer: timers.Timer, last: dict[str, Any]) -> str:
    """Return the next run, and how the newest moment that was settled ended, here or on another host."""
    notes = [f"next {timer.next}"] if timer.next else []
    if last:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last["moment"]))
        code = f" ({last['exit_code']})" if last.get("exit_code") else ""
        seconds = f" in {last['seconds']:.1f} s" if last.get("seconds") is not None else ""
        notes.append(f"last {moment} {last['outcome']}{code} on {last['host']}{seconds}")
    if not timer.enabled:
        notes.append("not started at boot")
    return ", ".join(notes)


def _row(instance: Instance, manifest: dict[str, Any]) -> dict[str, Any]:
    unit = service_host.unit_text(instance.service, instance.revision) if instance.revision else None
    release = RELEASE.search(unit or "")
    return {
        "service": instance.service,
        "instance": instance.number,
        "state": instance.active
        if instance.active == instance.sub
        else f"{instance.active} ({instance.sub})",
        "revision": instance.revision or "-",
        "release": release[1] if release else "-",
        "since": instance.since if instance.running else "-",
        "memory": _memory(instance),
        "note": _note(instance, manifest),
    }


def _note(instance: Instance, manifest: dict[str, Any]) -> str:
    notes = []
    if instance.number > int(manifest["instances"]):
        notes.append("surplus")
    if instance.running and instance.revision != manifest["revision"]:
        notes.append(f"out of date, deployed is {manifest['revision']}")
    if instance.manager != manifest.get("manager", "systemd"):
        notes.append(f"under {instance.manager}, deployed is {manifest['manager']}")
    if instance.restarts:
        notes.append(f"started again {instance.restarts} times")
    scaled = manifest.get("autoscale")
    if scaled and instance.number > int(scaled["min"]):
        notes.append(f"by autoscale, {scaled['min']} to {scaled['max']}")
    elif not instance.enabled:
        notes.append("not started at boot")
    return ", ".join(notes)


def _memory(instance: Instance) -> str:
    """Return memory in MiB; without memory accounting, the sum of its processes' resident memory."""
    return _memory_text(instance.pid, instance.memory) if instance.running else "-"


def _memory_text(pid: int, memory: int | None) -> str:
    return f"{memory // 2**20} MiB" if memory is not None else f"~{_resident(pid) // 2**20} MiB"


def _resident(pid: int) -> int:
    total = 0
    for process in [pid, *_children(pid)]:
        try:
            total += int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1]) * PAGE
        except (OSError, IndexError):
            continue
    return total


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(child) for child in text.split()]
