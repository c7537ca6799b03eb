"""Recognising a lab that died, by its names, and clearing what it left; nothing else is touched."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from lab import base, cgroups, machine, network, registry, services, settings, shell
from lab.locks import LOCKS
from lab.paths import RUN, STORE


def alive() -> bool:
    """Say whether anything of the lab runs: a host, or one of its helpers."""
    return bool(services.processes()) or any(cgroups.populated(name) for name in cgroups.names())


def clear() -> None:
    """End every process of the lab and remove all that it left on the machine, but disks and snapshots."""
    services.stop()
    for name in cgroups.names():
        cgroups.kill(name)
    _end_starting_hosts()
    cgroups.remove_top()
    _unmount()
    _detach_loops()
    network.remove()
    settings.restore()
    for record in registry.records():
        machine.forget_at_nspawn(record.name)
    for path in RUN.iterdir() if RUN.exists() else ():
        if path not in LOCKS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _end_starting_hosts() -> None:
    """A host whose start was interrupted has no control group yet; its command line names our folder."""
    deadline = time.monotonic() + 5
    while (found := _hosts_outside_groups()) and time.monotonic() < deadline:
        for process in found:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.05)


def _hosts_outside_groups() -> list[int]:
    return [
        process
        for process, words in services.command_lines()
        if f"{RUN}/hosts/" in " ".join(words)
        and any(Path(word).name in ("systemd-nspawn", "start-host.sh") for word in words[:3])
    ]


def _unmount() -> None:
    """Mounts of living hosts are in namespaces of their own; what the machine itself sees is left over."""
    targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for target in reversed(targets):
        if target.startswith((f"{RUN}/", f"{STORE}/", f"{base.folder('')}/")):
            shell.run("umount", "--lazy", target, check=False)


def _detach_loops() -> None:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if backing.read_text().startswith((f"{STORE}/hosts/", f"{STORE}/snapshots/")):
            shell.run("losetup", "--detach", f"/dev/{backing.parent.parent.name}", check=False)
