"""Copies of all disks under a name, so that a converged lab is back in seconds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import disk
from lab.errors import LabError
from lab.paths import STORE, host_store

FILES = ("disk.img", "host.json")


def folder(name: str) -> Path:
    """Return where the snapshot lies. Raises LabError for a name that is no plain word."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise LabError(
            f"{name!r} is no name for a snapshot", "use letters, digits, dots, dashes and underscores"
        )
    return STORE / "snapshots" / name


def names() -> list[str]:
    """Return the names of all snapshots."""
    return sorted(path.name for path in (STORE / "snapshots").glob("*") if path.suffix != ".new")


def hosts(name: str) -> list[str]:
    """Return the hosts in a snapshot. Raises LabError when there is no such snapshot."""
    found = sorted(path.name for path in folder(name).glob("*"))
    if not found:
        raise LabError(
            f"there is no snapshot {name} (there are: {', '.join(names()) or 'none'})",
            f"./lab/lab save {name}",
        )
    return found


def store(name: str, of_hosts: Sequence[str]) -> None:
    """Copy the disks of these hosts, which must not run. An earlier snapshot of that name is replaced."""
    final = folder(name)
    new = final.with_name(f"{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    _refuse_full(new, [host_store(host) / "disk.img" for host in of_hosts])
    _copy_all([(host_store(host), new / host) for host in of_hosts])
    shutil.rmtree(final, ignore_errors=True)
    new.rename(final)


def bring_back(name: str) -> None:
    """Replace the disks of the snapshot's hosts, which must not run."""
    _copy_all([(folder(name) / host, host_store(host)) for host in hosts(name)])


def _copy_all(pairs: Sequence[tuple[Path, Path]]) -> None:
    def one(pair: tuple[Path, Path]) -> None:
        source, target = pair
        target.mkdir(parents=True, exist_ok=True)
        for file in FILES:
            disk.copy(source / file, target / file)

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(one, pairs))


def _refuse_full(target: Path, images: Sequence[Path]) -> None:
    needed = sum(image.stat().st_blocks * 512 for image in images)
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise LabError(
            f"the snapshot needs {needed >> 20} MiB and {free >> 20} MiB are free at {target.parent}",
            f"remove snapshots you no longer need from {target.parent}",
        )
