"""``python3 -m stall_guard``: run the guard; ``--status`` prints the state as JSON instead."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict

import psycopg2

from .config import InvalidConfiguration, from_environment, monitor_from_environment
from .database import first_line
from .journal import say
from .monitor import Monitor
from .primary import Primary
from .runner import Runner, run
from .status import status

EXIT_UNREADABLE = 1
EXIT_INVALID = 2


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0, 1 when the monitor cannot be read, 2 when the configuration is invalid."""
    parser = argparse.ArgumentParser(prog="stall_guard", description=__doc__)
    parser.add_argument("--status", action="store_true", help="print marker, nodes and last events as JSON")
    chosen = parser.parse_args(arguments)
    try:
        return _status() if chosen.status else _run()
    except InvalidConfiguration as error:
        sys.stderr.write(f"stall_guard: {error}\n")
        return EXIT_INVALID


def _status() -> int:
    dsn, formation = monitor_from_environment(os.environ)
    try:
        found = status(dsn, formation)
    except psycopg2.Error as error:
        sys.stderr.write(f"stall_guard: the monitor cannot be read: {first_line(error)}\n")
        return EXIT_UNREADABLE
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


def _run() -> int:
    config = from_environment(os.environ)
    # Being killed at any point is safe, so a request to stop ends the tick at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say("info", "started", "the stall guard runs", tick=config.tick, **asdict(config.limits))
    monitor = Monitor(config.monitor_dsn, config.formation)
    run(Runner(config.limits, monitor, Primary(config.node_dsn)), config.tick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
