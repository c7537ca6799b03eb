# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What runs of services on a host, as a person wants to see it. Knows nothing of Ansible."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import service_host
from .instances_managers import Managers
from .instances_systemd import Instance

RELEASE = re.compile(r"/releases/([0-9a-f]+)/")
PAGE = 4096


def rows(names: Sequence[str], managers: Managers) -> list[dict[str, Any]]:
    """Return one row per instance of services that are deployed here. Raises `HostError` for others."""
    manifests = {name: service_host.manifest(name) for name in names}
    counts = {name: int(manifest["instances"]) for name, manifest in manifests.items()}
    wanted = {name: str(manifest.get("manager", "systemd")) for name, manifest in manifests.items()}
    found = managers.instances(counts, wanted)
    return [_row(instance, manifests[name]) for name in names for instance in found[name].instances]


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
    if not instance.enabled:
        notes.append("not started at boot")
    return ", ".join(notes)


def _memory(instance: Instance) -> str:
    """Return memory in MiB; without memory accounting, the sum of its processes' resident memory."""
    if not instance.running:
        return "-"
    if instance.memory is not None:
        return f"{instance.memory // 2**20} MiB"
    return f"~{_resident(instance.pid) // 2**20} MiB"


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
