"""The two kernel settings of the machine that a lab needs, put back by `down`."""

from __future__ import annotations

import json
from pathlib import Path

from lab.paths import RUN

INSTANCES = 1024
"""Every host's systemd uses about six inotify instances; by default Linux allows root 128 in all."""

_FILE = "machine-settings.json"
_PROC = Path("/proc/sys")


def apply(run: Path = RUN, proc: Path = _PROC) -> None:
    """Set what is needed and remember what was there before any lab came. Does nothing the second time."""
    saved = run / _FILE
    if saved.exists():
        return
    wanted = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": INSTANCES}
    others = _others(run)
    before = (
        json.loads(others[0].read_text())
        if others
        else {key: int((proc / key).read_text()) for key in wanted}
    )
    saved.write_text(json.dumps(before))
    for key, value in wanted.items():
        if int((proc / key).read_text()) < value:
            (proc / key).write_text(str(value))


def restore(run: Path = RUN, proc: Path = _PROC) -> None:
    """Put back what `apply` found, unless another lab still needs it."""
    saved = run / _FILE
    if saved.exists() and not _others(run):
        for key, value in json.loads(saved.read_text()).items():
            (proc / key).write_text(str(value))
    saved.unlink(missing_ok=True)


def _others(run: Path) -> list[Path]:
    """Return what labs beside this one remember."""
    return [file for file in run.parent.glob(f"tandem-*/{_FILE}") if file.parent != run]
