# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that needs a package index goes through pip, so that the machine's own pip settings hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .releases_target import Target

TIMEOUT_SECONDS = 1200
SHOWN_LINES = 15
# Wheels are archives with times in them; a fixed time makes two builds of the same source alike (1980-02-01:
# the oldest a zip archive knows, whatever the time zone).
SOURCE_DATE_EPOCH = "318211200"


class PipError(Exception):
    """pip could not do it; the message has pip's last lines."""


def download(requirements: str, destination: Path, target: Target, options: Sequence[str] = ()) -> None:
    """Download the wheels of a requirements file (text) that fit the hosts. Raises `PipError`."""
    file = destination / "requirements.txt"
    file.write_text(requirements, encoding="utf-8")
    _pip(
        ["download", "--dest", str(destination), *target.pip_options(), *options, "--requirement", str(file)],
        destination,
    )
    file.unlink()


def build(folder: Path, destination: Path) -> None:
    """Build a folder's own wheel. Raises `PipError`."""
    # The controller's Python builds it, but it is the hosts' Python that must fulfil requires-python.
    options = ["--no-deps", "--ignore-requires-python", "--wheel-dir", str(destination)]
    _pip(["wheel", *options, str(folder)], destination)


def _command() -> list[str]:
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found:
            return [found]
    raise PipError(
        f"there is no pip on the controller. Next: {sys.executable} -m ensurepip, or apt install python3-pip"
    )


def _pip(arguments: list[str], folder: Path) -> None:
    command = [*_command(), "--disable-pip-version-check", "--no-input", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_SECONDS,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines()[-SHOWN_LINES:]
        raise PipError("\n".join([f"pip {arguments[0]} failed:", *lines]))
