"""Ansible's fact cache of this project: what it says about a host is wrong once the host has a fresh disk."""

from __future__ import annotations

import re

from lab.paths import PROJECT

FOLDER = PROJECT / ".cache" / "facts"


def forget(host: str) -> None:
    """Remove the cached facts of a host. Ansible puts its format's version before the name."""
    for path in FOLDER.glob(f"*{host}"):
        if re.fullmatch(rf"(s\d+_)?{re.escape(host)}", path.name):
            path.unlink(missing_ok=True)
