"""Facts that need more rights than the exporter has, handed over as small public files.

A helper unit of the right user writes a number to a file every minute or two; the exporter reads it. So the exporter
needs neither the keeper's state nor the broker's cookie, and the helpers listen to nobody.

``python3 -m platform_exporter.facts NAME FILE [ARGUMENT…]`` is a helper.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

OLD_SECONDS = 300.0
"""A fact that is older counts as none: its helper no longer works."""

# Source: KeeperStateData in pg_auto_failover 2.2's state.h, as in roles/postgres/files/prestart.py.
STATE_SIZE, STATE_VERSION, CONTACT_OFFSET = 1024, 1, 64
# What `rabbitmq-diagnostics check_if_node_is_quorum_critical` asks.
CRITICAL = "length(rabbit_upgrade_preparation:list_with_minimum_quorum_for_cli())."
CTL_SECONDS = 30


class FactError(Exception):
    """A fact can't be found out; the message says why."""


def self_fence(state_file: Path) -> float:
    """Return 1 when the keeper of a Postgres node would fence itself, else 0. Raises FactError, OSError."""
    state = state_file.read_bytes()
    if len(state) != STATE_SIZE or struct.unpack_from("<i", state, 0)[0] != STATE_VERSION:
        raise FactError(f"{state_file} has another layout than that of pg_auto_failover 2.2")
    return float(struct.unpack_from("<Q", state, CONTACT_OFFSET)[0] > 0)


def quorum_critical(command: Path = Path("/usr/sbin/rabbitmqctl")) -> float:
    """Return how many queues would lose their majority with this node. Raises FactError."""
    try:
        done = subprocess.run(
            [command, "--silent", "eval", CRITICAL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CTL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FactError(f"rabbitmqctl took longer than {CTL_SECONDS} s") from None
    said = done.stdout.strip()
    if done.returncode != 0 or not said.isdecimal():
        raise FactError(f"rabbitmqctl said: {(said or done.stderr.strip())[-200:]}")
    return float(said)


HELPERS: Mapping[str, Callable[..., float]] = {"self_fence": self_fence, "quorum_critical": quorum_critical}


def write(path: Path, value: float) -> None:
    """Put the number into the file, which everybody may read."""
    new = path.with_suffix(".new")
    new.write_text(f"{value:g}\n", encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)


def read(path: Path, now: Callable[[], float] = time.time) -> float:
    """Return the number. Raises FactError when it is old or no number, OSError when it is not there."""
    age = now() - path.stat().st_mtime
    if age > OLD_SECONDS:
        raise FactError(f"{path} is {age:.0f} s old: its helper does not work")
    try:
        return float(path.read_text(encoding="utf-8"))
    except ValueError:
        raise FactError(f"{path} has no number") from None


def main(arguments: list[str]) -> int:
    """Find out the fact and write it down; a fact that can't be found out leaves the file to grow old."""
    name, path, *others = arguments
    try:
        write(Path(path), HELPERS[name](*map(Path, others)))
    except (FactError, OSError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
