"""This machine's Debian packages: those that a build needs are installed when they are missing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable

from packages.console import run, say
from packages.errors import PackagesError


def missing(wanted: Iterable[str], ask: Callable[[str], str] | None = None) -> list[str]:
    """Return those packages that are not installed, each once, in their order."""
    return [name for name in dict.fromkeys(wanted) if (ask or _status)(name) != "installed"]


def ensure(wanted: Iterable[str]) -> None:
    """Install what is missing. Raises PackagesError when that takes root and this is not root."""
    names = missing(wanted)
    if not names:
        return
    command = f"apt-get install --no-install-recommends {' '.join(names)}"
    if os.geteuid():
        raise PackagesError(f"Debian packages are missing: {', '.join(names)}", f"as root: {command}")
    say(f"installing Debian packages: {', '.join(names)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=env)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *names, env=env)


def architecture() -> str:
    """Return Debian's name of this machine's architecture, as in `amd64`."""
    return run("dpkg", "--print-architecture").strip()


def _status(name: str) -> str:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name],
        capture_output=True,
        text=True,
        check=False,  # it fails for a package that it has never seen
    )
    return done.stdout
