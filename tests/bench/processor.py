"""Give a lab host a processor of its own size, as a host of its own would have.

All lab hosts share the machine's cores. Without a limit, what a measured host shares them with (the load, the edge, the
database) seems to cost that host's rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import cgroups
from lab.errors import LabError

PERIOD_US = 10_000
"""A host that has used its share waits for the rest of ten milliseconds, not of the kernel's usual hundred."""


@contextmanager
def limited(host: str, cores: float) -> Iterator[None]:
    """Let all processes of a running host together use that many cores.

    Commands that the lab runs inside the host are not among them. Raises LabError where the kernel can't do it.
    """
    quota = int(PERIOD_US * cores)
    if "cpu" in (cgroups.root() / "cgroup.controllers").read_text().split():
        with _limited_v2(cgroups.of_host(host), quota):
            yield
    else:
        with _limited_v1(cgroups.of_host(host), _v1_root() / "tandem-bench", quota):
            yield


@contextmanager
def _limited_v2(group: Path, quota: int) -> Iterator[None]:
    """The host's own group gets the limit."""
    for above in (group.parent.parent, group.parent):
        (above / "cgroup.subtree_control").write_text("+cpu")
    (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
    try:
        yield
    finally:
        (group / "cpu.max").write_text("max")


@contextmanager
def _limited_v1(group: Path, limit: Path, quota: int) -> Iterator[None]:
    """The host's processes are moved to a group of the older hierarchy that has the processors, and back."""
    limit.mkdir(exist_ok=True)
    try:
        (limit / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (limit / "cpu.cfs_quota_us").write_text(str(quota))
        # What a process starts while it is moved may be left behind: a second round finds it.
        for _ in range(2):
            for file in group.rglob("cgroup.procs"):
                _move(file.read_text().split(), limit)
        yield
    finally:
        while left := (limit / "cgroup.procs").read_text().split():
            _move(left, limit.parent)
        limit.rmdir()


def _move(processes: list[str], group: Path) -> None:
    """Move processes, without those that have ended."""
    for process in processes:
        try:
            (group / "cgroup.procs").write_text(process)
        except ProcessLookupError:
            continue


def _v1_root() -> Path:
    """Where the older hierarchy with the processors is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(mount_point)
    raise LabError("this machine cannot limit processors", "mount the cpu controller of the control groups")
