"""Where the lab keeps its files, and the names by which its leftovers are recognised."""

from __future__ import annotations

import os
from pathlib import Path

NETNS = "tandem-lab"
VETH = "tandem-lab0"
NFT_TABLE = "tandem_lab"
CGROUP = "tandem-lab"

PROJECT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(__file__).resolve().parent / "scripts"

RUN = Path("/run/tandem-lab")
"""Process ids, sockets, logs and mount points of the running lab; worthless after a reboot."""

STORE = Path(os.environ.get("TANDEM_LAB_STORE", "/var/lib/tandem-lab"))
"""Host disks and snapshots: they survive a reboot of the machine."""


def cache() -> Path:
    """Return the folder for what can be rebuilt: base image, packages, and the lab's SSH key."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "tandem" / "lab"


def host_store(name: str) -> Path:
    """Return the folder with the host's disk and record."""
    return STORE / "hosts" / name


def host_run(name: str) -> Path:
    """Return the folder with the running host's process id, console log and mount points."""
    return RUN / "hosts" / name


def disk_image(name: str) -> Path:
    """Return the host's disk image."""
    return host_store(name) / "disk.img"
