"""Each host's processes are in a control group of their own, which finds and ends them all."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from lab.errors import LabError
from lab.paths import CGROUP


@cache
def root() -> Path:
    """Return where this machine has its cgroup2 hierarchy."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(mount_point)
    raise LabError("this machine has no cgroup2 hierarchy", "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")


def of_host(name: str) -> Path:
    """Return the host's group."""
    return root() / CGROUP / name


def names() -> list[str]:
    """Return the hosts that have a group, running or not."""
    top = root() / CGROUP
    return sorted(group.name for group in top.iterdir() if group.is_dir()) if top.is_dir() else []


def populated(name: str) -> bool:
    """Say whether any process of the host lives."""
    try:
        return "populated 1" in (of_host(name) / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def kill(name: str, seconds: float = 15) -> None:
    """End all of a host's processes at once and remove its group."""
    group = of_host(name)
    if not group.is_dir():
        return
    (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + seconds
    while populated(name):
        if time.monotonic() > deadline:
            raise LabError(f"processes of {name} do not end", f"see them in {group}/**/cgroup.procs")
        time.sleep(0.01)
    remove(name)


def remove(name: str) -> None:
    """Remove the group of a host that no longer runs."""
    group = of_host(name)
    for inner in sorted(group.glob("**/"), reverse=True):
        inner.rmdir()


def remove_top() -> None:
    """Remove the group of all hosts; none of them may be left."""
    if (root() / CGROUP).is_dir():
        (root() / CGROUP).rmdir()
