"""The two kernel settings of the machine that a lab needs, put back by `down`."""

from __future__ import annotations

import json
from pathlib import Path

from lab.paths import RUN

INSTANCES = 1024
"""Every host's systemd uses about six inotify instances; by default Linux allows root 128 in all."""

_SAVED = RUN / "machine-settings.json"
_PROC = Path("/proc/sys")


def apply() -> None:
    """Set what is needed and remember what was there before. Does nothing the second time."""
    if _SAVED.exists():
        return
    wanted = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": INSTANCES}
    before = {key: int((_PROC / key).read_text()) for key in wanted}
    _SAVED.write_text(json.dumps(before))
    for key, value in wanted.items():
        if before[key] < value:
            (_PROC / key).write_text(str(value))


def restore() -> None:
    """Put back what `apply` found."""
    if not _SAVED.exists():
        return
    for key, value in json.loads(_SAVED.read_text()).items():
        (_PROC / key).write_text(str(value))
    _SAVED.unlink()
