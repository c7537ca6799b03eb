"""`hello migrate` makes the table, `hello seed` says the first greeting, `hello work` works, `hello tick` is timed."""

from __future__ import annotations

import os
import sys
import time

from . import database


def main() -> None:
    """Run the sub-command that is named first."""
    commands = {"migrate": migrate, "seed": seed, "work": work, "tick": tick}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: hello {'|'.join(commands)}")
    commands[sys.argv[1]]()


def migrate() -> None:
    """Make the table."""
    database.run(database.TABLE)


def seed() -> None:
    """Say the first greeting."""
    database.run("insert into greetings default values")


def work() -> None:
    """Do nothing, for ever."""
    while True:
        print('{"message": "still here"}', flush=True)
        time.sleep(60)


def tick() -> None:
    """Say one greeting, and for which moment; takes TICK_SECONDS."""
    time.sleep(float(os.environ.get("TICK_SECONDS", "0")))
    database.run("insert into greetings (moment) values (%s)", os.environ["SCHEDULED_AT"])
    print(f"tick {os.environ['SCHEDULED_AT']} {os.environ['LEASE_TOKEN']}", flush=True)
