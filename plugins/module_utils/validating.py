# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Let programs check the files that they will read, before these land."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from .placing import Change

TIMEOUT_SECONDS = 60
LONGEST_OUTPUT = 4000
# A user's PATH over SSH lacks the directories where daemons live.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def validate(changes: list[Change], check_mode: bool) -> tuple[list[str], list[str]]:
    """Run the `validate` command of every changed file on a private copy of it.

    Returns (problems, notes). In check mode nothing is a problem: the program, or what the file refers
    to, may be something that an earlier task of the same run would bring.
    """
    problems: list[str] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tandem-files-") as directory:
        for number, change in enumerate(changes):
            if change.content is None or not change.validate:
                continue
            problem = _check(change, Path(directory, str(number)))
            if problem:
                (notes if check_mode else problems).append(problem)
    return problems, notes


def _check(change: Change, directory: Path) -> str:
    """Return what is wrong with one file, or an empty string."""
    directory.mkdir(mode=0o700)
    # The name stays: programs such as `systemd-analyze verify` go by it.
    copy = directory / Path(change.path).name
    copy.touch(mode=0o600)
    copy.write_bytes(change.content or b"")
    words = shlex.split(change.validate)
    program = shutil.which(words[0], path=SEARCH_PATH)
    if program is None:
        return (
            f"{change.path} can't be validated: program '{words[0]}' is not installed. "
            "Next: install it in an earlier task."
        )
    command = [program, *(word.replace("%s", str(copy)) for word in words[1:])]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        return f"{change.path}: `{change.validate}` did not end within {TIMEOUT_SECONDS} s."
    if done.returncode == 0:
        return ""
    said = done.stdout.decode(errors="replace").replace(str(copy), change.path)[-LONGEST_OUTPUT:].strip()
    shown = "its output is hidden, because the file is secret" if change.secret else f"it said:\n{said}"
    return (
        f"{change.path} is not valid: `{change.validate}` ended with {done.returncode}, {shown}\n"
        "Next: correct the variables or the template that it was made from, then run again."
    )
