"""The packages of `make packages`, served to the hosts at the machine's end of the wire."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from lab import shell
from lab.errors import LabError
from lab.paths import MACHINE, RUN
from packages import places

PORT = 3143
ADDRESS = f"http://{MACHINE}:{PORT}/"
"""Empty until `make packages` has run; hosts need nothing restarted after it."""

FOLDER = RUN / "repository"
"""Holds a link to the packages, so that the server's command line, like every helper's, shows whose it is."""


def ensure() -> None:
    """Start the server if it does not answer. Call with the lab's lock held."""
    if answers():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    _served().unlink(missing_ok=True)
    _served().symlink_to(places.repository())
    log = FOLDER / "log"
    command = " ".join([sys.executable, *arguments()])
    shell.run("sh", "-c", f"setsid --fork {command} >{log} 2>&1 </dev/null")
    deadline = time.monotonic() + 10
    while not answers():
        if time.monotonic() > deadline:
            raise LabError(
                f"the package repository does not answer at {ADDRESS}: {log.read_text()[-300:]}",
                "free the port, or look into the log, and run ./lab/lab up again",
            )
        time.sleep(0.05)


def answers() -> bool:
    """Say whether something listens there."""
    try:
        with socket.create_connection((MACHINE, PORT), timeout=1):
            return True
    except OSError:
        return False


def is_server(words: list[str]) -> bool:
    """Say whether a process with this command line is the server of this lab."""
    expected = arguments()
    return words[1 : 1 + len(expected)] == expected


def arguments() -> list[str]:
    """Return what the server's command line says after Python's name."""
    return ["-m", "http.server", str(PORT), "--bind", MACHINE, "--directory", str(_served())]


def _served() -> Path:
    return FOLDER / "packages"
