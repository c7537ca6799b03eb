"""What `status` and `logs` print."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from lab import machine, snapshots
from lab.core import Lab, State
from lab.paths import disk_image

READ_DISK = """
mount -o ro,noload,loop "$1" /mnt && shift && exec journalctl --directory=/mnt/upper/var/log/journal "$@"
"""
"""Runs in a mount namespace of its own; `noload`: the journal of a disk that lost power is not replayed."""


def status_text(lab: Lab) -> str:
    """Return a table of all hosts, then cuts and snapshots."""
    rows = [("HOST", "SITE", "ADDRESS", "STATE", "DISK")]
    rows += [(name, s.site, s.address, _word(s), f"{s.disk >> 20} MiB") for name, s in lab.status().items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.append(f"cuts: {', '.join(lab.cuts()) or 'none'}")
    lines.append(f"snapshots: {', '.join(snapshots.names()) or 'none'}")
    return "\n".join(lines)


def _word(state: State) -> str:
    if state.running:
        return "answers" if state.answers else "runs, but does not answer SSH"
    return "down" if state.disk else "never booted"


def show_logs(name: str, options: Sequence[str]) -> int:
    """Print a host's journal; of a host that is down, what its disk kept and its last console lines."""
    if machine.running(name):
        return subprocess.call(machine.inside(name, ["journalctl", "--no-pager", *options]))
    print(machine.console_tail(name, 40))
    words = ["unshare", "--mount", "sh", "-c", READ_DISK, "sh", str(disk_image(name)), "--no-pager", *options]
    return subprocess.call(words)
