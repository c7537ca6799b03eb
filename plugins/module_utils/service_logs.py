# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The logs of a service on a host, as a person wants to read them. Knows nothing of Ansible."""

from __future__ import annotations

import subprocess

CALL_SECONDS = 60
CURSOR = "-- cursor: "  # journalctl(1), --show-cursor


class LogError(Exception):
    """The journal can't be read; the message says why."""


def read(name: str, count: int, after: str = "") -> tuple[list[str], str]:
    """Return lines of the service's own log and of what systemd says about its units, and where they end.

    The last `count` lines, or all since `after`, where an earlier call ended. Raises `LogError`.
    """
    units = (f"{name}@*", f"{name}-migrate", f"{name}.service", f"{name}.timer")
    what = [f"--namespace=+{name}", *(f"--unit={unit}" for unit in units)]
    where = [f"--after-cursor={after}"] if after else [f"--lines={count}"]
    try:
        done = subprocess.run(
            ["journalctl", "--no-pager", "--quiet", "--output=short-iso", "--show-cursor", *where, *what],
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LogError(str(error)) from error
    if done.returncode:
        raise LogError(done.stderr.strip() or f"journalctl ended with {done.returncode}")
    lines = done.stdout.splitlines()
    end = lines.pop().removeprefix(CURSOR) if lines and lines[-1].startswith(CURSOR) else after
    return lines, end
