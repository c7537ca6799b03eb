"""Host disks: one sparse ext4 image each, so that disks can fill up and can lose what was not synced."""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path

from lab import shell
from lab.errors import LabError

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
"""Linux, fs/ext4/ext4.h: go down without writing the journal out, as if the power had gone."""

FITRIM = 0xC0185879
"""Linux, include/uapi/linux/fs.h."""


def create(image: Path, size: int) -> None:
    """Make an empty disk of that many bytes; it takes space only as it is filled."""
    new = image.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    with new.open("wb") as file:
        file.truncate(size)
    lazy = "nodiscard,lazy_itable_init=1,lazy_journal_init=1"
    shell.run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=32", "-E", lazy, new)
    new.rename(image)


def lose_power(mount_point: Path) -> None:
    """Freeze the mounted disk as it is on the platter: what was not synced is gone.

    `mount_point` may lead through /proc/PID/root, since a host's disk is mounted in a namespace of its own.
    """
    descriptor = os.open(mount_point, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    finally:
        os.close(descriptor)


def trim(mount_point: Path) -> None:
    """Give the space of deleted files back to the machine, so that copies of the image are small."""
    descriptor = os.open(mount_point, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, FITRIM, struct.pack("QQQ", 0, 2**64 - 1, 0))
    finally:
        os.close(descriptor)


def loops(image: Path) -> list[str]:
    """Return the loop devices that show the image, e.g. `loop3`."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            shown = backing.read_text().strip()
        except OSError:
            continue
        if shown in (str(image), f"{image} (deleted)"):
            found.append(backing.parent.parent.name)
    return found


def await_release(image: Path, seconds: float = 15) -> None:
    """Wait until nobody has the image mounted: to mount it twice would destroy it."""
    deadline = time.monotonic() + seconds
    while held := loops(image):
        if time.monotonic() > deadline:
            raise LabError(
                f"{image} is still in use by {', '.join(held)}",
                f"see who has it with `fuser -vm /dev/{held[0]}`, or ./lab/lab down and up",
            )
        time.sleep(0.02)


def copy(source: Path, target: Path) -> None:
    """Copy an image with its holes; the target appears only when it is complete."""
    new = target.with_suffix(".copy")
    new.unlink(missing_ok=True)
    shell.run("cp", "--sparse=always", "--reflink=auto", source, new, timeout=600)
    new.rename(target)
