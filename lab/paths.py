"""Where the lab keeps its files, and the names by which its leftovers are recognised.

A machine has one lab. TANDEM_LAB_NAME gives a second one names, files and a wire of its own beside the first:
the lab's tests start and stop such a one. Its sites must not overlap those of the first.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from lab.errors import LabError

DEFAULT_NAME = "tandem-lab"
NAME = os.environ.get("TANDEM_LAB_NAME", DEFAULT_NAME)
if not NAME.startswith("tandem-") or len(NAME) > 14:
    raise LabError(
        f"TANDEM_LAB_NAME={NAME} is not a lab's name", "begin it with tandem-, at most 14 characters"
    )

NETNS = NAME
VETH = f"{NAME}0"
NFT_TABLE = NAME.replace("-", "_")
CGROUP = NAME

_WIRE = 255 if NAME == DEFAULT_NAME else zlib.crc32(NAME.encode()) % 250
MACHINE, MACHINE6 = f"10.60.{_WIRE}.1", f"fd60:0:0:{_WIRE:x}::1"
"""The machine's end of its wire into the lab: Ansible, tests and the package cache live there."""
ROUTER, ROUTER6 = f"10.60.{_WIRE}.2", f"fd60:0:0:{_WIRE:x}::2"
"""The lab's end."""
WIRE = f"10.60.{_WIRE}.0/30"

PROJECT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(__file__).resolve().parent / "scripts"

RUN = Path("/run") / NAME
"""Process ids, logs and mount points of the running lab; worthless after a reboot."""

STORES = Path("/var/lib")
STORE = STORES / NAME
"""Host disks and snapshots: they survive a reboot of the machine."""


def cache() -> Path:
    """Return the folder for what can be rebuilt: base image, packages, and the lab's SSH key."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "tandem" / "lab"


def own_cache(name: str) -> Path:
    """Return a file or folder of the cache that labs beside each other must not share."""
    return cache() / (name if NAME == DEFAULT_NAME else f"{name}.{NAME}")


def host_store(name: str) -> Path:
    """Return the folder with the host's disk and record."""
    return STORE / "hosts" / name


def host_run(name: str) -> Path:
    """Return the folder with the running host's process id, console log and mount points."""
    return RUN / "hosts" / name


def disk_image(name: str) -> Path:
    """Return the host's disk image."""
    return host_store(name) / "disk.img"
