# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Units that have failed."""

from __future__ import annotations

import subprocess

CALL_SECONDS = 20


def failed_units() -> list[str]:
    """Return the units of a host that systemd calls failed, by name. Raises OSError when it can't be asked."""
    command = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CALL_SECONDS)
    if done.returncode != 0:
        raise OSError(f"systemd can't be asked: {done.stderr.strip()}")
    return sorted(line.split()[0] for line in done.stdout.splitlines() if line.strip())
