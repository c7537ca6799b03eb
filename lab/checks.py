"""What a machine must be able to do, asked before anything on it is changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from lab import cgroups
from lab.errors import LabError
from lab.paths import SCRIPTS, STORE, cache

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "apt-cacher-ng": "apt-cacher-ng",
    "dnsmasq": "dnsmasq-base",
    "nft": "nftables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "losetup": "mount",
    "sysctl": "procps",
    "mkfs.ext4": "e2fsprogs",
    "ssh-keygen": "openssh-client",
}
"""Program: the Debian package that has it."""

SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")

MIB = 1024**2
HOST_SPACE = 400 * MIB
"""About what a deployed host's disk takes; it may grow to its full size."""
BASE_SPACE = 800 * MIB
"""The base image, and what its build and the package cache need beside it."""

PROBES = {
    10: ("namespaces", "run it on a real or virtual machine, or in a container that may make namespaces"),
    11: ("mounts", "run it with CAP_SYS_ADMIN, e.g. on a virtual machine"),
    12: ("overlay file systems", "modprobe overlay"),
    13: ("network bridges and veths", "modprobe -a bridge veth"),
    14: ("nftables", "modprobe -a nf_tables nft_masq nf_tables_bridge, or boot a kernel that has them"),
}
"""Exit code of probe.sh: what does not work, and the cure."""


def all_of_them(new_hosts: int) -> None:
    """Raise LabError at the first thing this machine lacks. `new_hosts`: hosts without a disk."""
    root()
    programs()
    features()
    space(new_hosts)


def root() -> None:
    """Raise LabError unless this is root."""
    if os.geteuid():
        raise LabError("the lab makes namespaces and mounts, which only root may", "run it with sudo")


def find_system_programs() -> None:
    """Let programs be found that Debian keeps out of ordinary users' PATH."""
    words = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([*words, *(word for word in SYSTEM if word not in words)])


def programs() -> None:
    """Raise LabError with one apt-get line for all missing programs."""
    missing = {program: package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise LabError(
            f"programs are missing: {', '.join(missing)}",
            f"apt-get install --no-install-recommends {packages}",
        )


def features() -> None:
    """Raise LabError when the kernel, or the container this runs in, can't do what hosts need."""
    cgroups.root()
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        raise LabError("this machine has IPv6 switched off", "boot it without ipv6.disable=1")
    if not Path("/dev/loop-control").exists():
        raise LabError("this machine has no loop devices", "modprobe loop")
    result = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "sh", SCRIPTS / "probe.sh"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        what, cure = PROBES.get(result.returncode, PROBES[10])
        raise LabError(f"this machine can't make {what}: {result.stderr.strip()[-300:]}", cure)


def space(new_hosts: int) -> None:
    """Raise LabError when the disks to be made would not find their place."""
    _room(STORE, new_hosts * HOST_SPACE, f"{new_hosts} new hosts")
    if not list((cache() / "base").glob("[0-9a-f]*")):
        _room(cache(), BASE_SPACE, "the base image")


def _room(folder: Path, needed: int, what: str) -> None:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise LabError(
            f"{what} need {needed // MIB} MiB below {folder}, and {free // MIB} MiB are free",
            f"free some space, remove old disks and snapshots with ./lab/lab clean, or make {folder} a link "
            "to a larger disk",
        )
