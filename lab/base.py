"""The Debian 13 file system that all hosts share, read-only, below their own disks."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from lab import mirror, shell
from lab.errors import LabError
from lab.locks import file_lock
from lab.paths import SCRIPTS, STORES, cache
from lab.progress import Progress

SUITE = "trixie"
PACKAGES = [
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "dbus-user-session",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "iproute2",
    "nftables",
    "iputils-ping",
    "curl",
    "ca-certificates",
    "procps",
    "less",
    "netbase",
    "tzdata",
]
OPTIONS = [
    "--variant=minbase",
    "--mode=root",
    "--skip=cleanup/apt/lists",
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=Acquire::Check-Date "false"',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]
BUILD_SECONDS = 900.0


def folder(key: str) -> Path:
    """Return where the base with that key lies."""
    return cache() / "base" / key


def key(mirrors: mirror.Mirrors) -> str:
    """Return the name of the base that the present recipe makes."""
    setup = (SCRIPTS / "setup-base.sh").read_text()
    recipe = json.dumps([SUITE, PACKAGES, OPTIONS, setup, mirrors.sources(SUITE)])
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def ensure(progress: Progress, proxy: str) -> str:
    """Build the base if this recipe's is not cached yet, and return its key.

    `proxy` is the address of the package cache. Call with the lab's lock held.
    """
    mirrors = mirror.find()
    wanted = key(mirrors)
    if folder(wanted).is_dir():
        return wanted
    with file_lock(folder("lock")):  # labs beside each other share their bases
        if not folder(wanted).is_dir():
            progress.say(f"building the Debian {SUITE} base (about half a minute, once)")
            _build(wanted, mirrors, proxy)
            _remove_unused(wanted)
    return wanted


def remove_unfinished() -> None:
    """Remove what an interrupted build left. Call with the base's lock held."""
    for rest in (cache() / "base").glob("*.building"):
        shell.run("umount", "--lazy", *sorted(_mounts_below(rest), reverse=True), check=False)
        shutil.rmtree(rest)


def _mounts_below(path: Path) -> list[str]:
    targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in targets if target.startswith(f"{path}/")]


def _remove_unused(current: str) -> None:
    """Remove bases of earlier recipes that lie below no host's disk and no snapshot."""
    records = [*STORES.glob("tandem-*/hosts/*/host.json"), *STORES.glob("tandem-*/snapshots/*/*/host.json")]
    used = {json.loads(record.read_text())["base"] for record in records} | {current, "lock"}
    for path in (cache() / "base").iterdir():
        if path.name not in used:
            shutil.rmtree(path)


def _build(wanted: str, mirrors: mirror.Mirrors, proxy: str) -> None:
    target = folder(wanted)
    building = target.with_suffix(".building")
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished()
    result = shell.run(
        "mmdebstrap",
        *OPTIONS,
        f"--include={','.join(PACKAGES)}",
        f'--aptopt=Acquire::http::Proxy "{proxy}"',
        f"--customize-hook={SCRIPTS / 'setup-base.sh'}",
        SUITE,
        building,
        *mirrors.sources(SUITE),
        check=False,
        timeout=BUILD_SECONDS,
    )
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith(("E:", "W:", "Err"))][-6:]
        said = " | ".join(errors) or result.stderr[-500:]
        raise LabError(
            f"mmdebstrap could not build the base from {mirrors.main}: {said}",
            "check that `apt-get update` works on this machine (and that debian-archive-keyring is recent), "
            "then run ./lab/lab up again",
        )
    building.rename(target)
