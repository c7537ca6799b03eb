# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Bring a service's database to a release: migrations once per release, the init command once ever.

Started by the unit <service>-migrate, as the service's user, with the database owner's password. What was
done is recorded in the database itself, in the schema `tandem_releases`: so it is true after a restore, a new
database or the loss of the host that did it. A lock in the database makes runs on several hosts wait.

Exit status: 0 done or nothing to do; 75 the database can't be reached or went away (try again); others come
from the service's own command.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TEMPORARY_FAILURE = 75  # EX_TEMPFAIL of sysexits.h
DRIVERS = ("psycopg2", "psycopg")
RETRY_SECONDS = 0.5
# The first half only tells the lock from others' advisory locks.
LOCK = (0x54414E44, 1)
PREPARE = (
    "create schema if not exists tandem_releases",
    "create table if not exists tandem_releases.migrated (service text not null, release text not null,"
    " finished_at timestamptz not null default now(), primary key (service, release))",
    "create table if not exists tandem_releases.initialised (service text primary key,"
    " finished_at timestamptz not null default now())",
)


def driver() -> Any:
    """Return the database driver that the release brings."""
    for name in DRIVERS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise SystemExit(f"the release brings neither {' nor '.join(DRIVERS)}; add one to its lock")


def connect(module: Any, patience: float) -> Any:
    """Open a connection to the primary, waiting for one for up to `patience` seconds."""
    password = Path(os.environ["CREDENTIALS_DIRECTORY"], "database_password").read_text(encoding="utf-8")
    deadline = time.monotonic() + patience
    while True:
        try:
            connection = module.connect(os.environ["DATABASE_DSN"], password=password.strip())
        except module.OperationalError as error:
            if time.monotonic() > deadline:
                print(f"the database can't be reached: {str(error).strip()}", file=sys.stderr)
                raise SystemExit(TEMPORARY_FAILURE) from None
            time.sleep(RETRY_SECONDS)
        else:
            connection.autocommit = True
            return connection


class Record:
    """What was done, as the database knows it."""

    def __init__(self, connection: Any, service: str, release: str) -> None:
        self.service = service
        self.release = release
        self._cursor = connection.cursor()

    def prepare(self) -> None:
        """Take the lock, which ends with the connection, and make the tables where they are missing."""
        self._cursor.execute("select pg_advisory_lock(%s, %s)", LOCK)
        self._cursor.execute("select to_regclass('tandem_releases.initialised') is not null")
        if not self._cursor.fetchone()[0]:
            for statement in PREPARE:
                self._cursor.execute(statement)

    def migrated(self) -> bool:
        """Tell whether this release's migrations ran."""
        query = "select 1 from tandem_releases.migrated where service = %s and release = %s"
        return self._has(query, self._key)

    def initialised(self) -> bool:
        """Tell whether the init command ever ran."""
        return self._has("select 1 from tandem_releases.initialised where service = %s", (self.service,))

    def set_migrated(self) -> None:
        """Record that this release's migrations ran."""
        statement = "insert into tandem_releases.migrated (service, release) values (%s, %s)"
        self._cursor.execute(statement, self._key)

    def set_initialised(self) -> None:
        """Record that the init command ran."""
        self._cursor.execute("insert into tandem_releases.initialised (service) values (%s)", (self.service,))

    @property
    def _key(self) -> tuple[str, str]:
        return self.service, self.release

    def _has(self, query: str, values: tuple[str, ...]) -> bool:
        self._cursor.execute(query, values)
        return self._cursor.fetchone() is not None


def command(arguments: list[str]) -> None:
    """Run a command of the release; its failure is ours. It must itself be safe to repeat after a failure."""
    done = subprocess.run(arguments, check=False)
    if done.returncode != 0:
        print(f"{' '.join(arguments)} failed with status {done.returncode}", file=sys.stderr)
        raise SystemExit(done.returncode if done.returncode > 0 else 1)


def run(plan: dict[str, Any], record: Record) -> list[str]:
    """Do what is not done yet; return what was done: migrated, initialised."""
    record.prepare()
    done = []
    if plan["migrate"] and not record.migrated():
        command(plan["migrate"])
        record.set_migrated()
        done.append("migrated")
    if plan["init_command"] and not record.initialised():
        command(plan["init_command"])
        record.set_initialised()
        done.append("initialised")
    return done


def main() -> None:
    """Read the plan whose path is the only argument, follow it, leave the result in the runtime folder."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    module = driver()
    connection = connect(module, plan["patience_seconds"])
    try:
        done = run(plan, Record(connection, plan["service"], plan["release"]))
    except module.OperationalError as error:
        # The outcome of the last statement is unknown; everything here may be repeated.
        print(f"the database went away: {str(error).strip()}", file=sys.stderr)
        raise SystemExit(TEMPORARY_FAILURE) from None
    Path(os.environ["RUNTIME_DIRECTORY"], "result.json").write_text(json.dumps(done), encoding="utf-8")
    print(f"{plan['service']} {plan['release']}: {', '.join(done) or 'nothing to do'}")


if __name__ == "__main__":
    main()
