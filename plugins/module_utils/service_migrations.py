# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Run the migration units of services and tell what they did. Knows nothing of Ansible.

The truth about what was migrated is in each database. The marker on the host is only for check mode, and for runs
while the database can't be reached and nothing is to be done.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import service_host
from .instances_systemd import Systemd, SystemdError

RUNTIME = Path("/run")
TEMPORARY_FAILURE = 75
# The unit itself has no limit: a migration takes as long as it takes.
WAIT_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Migration:
    """A service's migrations for one release."""

    service: str
    release: str

    @property
    def unit(self) -> str:
        """The unit that runs them."""
        return f"{self.service}-migrate.service"

    @property
    def marker(self) -> Path:
        """The file that names the release that was last migrated from this host."""
        return service_host.SETTINGS / self.service / "migrated"

    @property
    def result(self) -> Path:
        """Where the unit leaves what it did."""
        return RUNTIME / f"tandem-{self.service}-migrate" / "result.json"

    @property
    def marked(self) -> bool:
        """Whether this host has seen this release's migrations done."""
        try:
            return self.marker.read_text(encoding="utf-8").strip() == self.release
        except FileNotFoundError:
            return False


@dataclass(frozen=True)
class Outcome:
    """What became of a migration: what was done, a problem that stops the release, or a remark that does not."""

    migration: Migration
    done: tuple[str, ...] = ()
    problem: str = ""
    remark: str = ""


def run(migrations: Sequence[Migration], systemd: Systemd) -> list[Outcome]:
    """Run the units of all services at once and wait for them."""
    if not migrations:
        return []
    for migration in migrations:
        migration.result.unlink(missing_ok=True)
    systemd.reload()
    subprocess.run(
        ["systemctl", "--no-pager", "restart", "--", *(migration.unit for migration in migrations)],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )
    return [_outcome(migration, systemd) for migration in migrations]


def _outcome(migration: Migration, systemd: Systemd) -> Outcome:
    try:
        done = tuple(json.loads(migration.result.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return _failure(migration, systemd)
    if not migration.marked:
        migration.marker.write_text(migration.release + "\n", encoding="utf-8")
    return Outcome(migration, done)


def _failure(migration: Migration, systemd: Systemd) -> Outcome:
    status = _exit_status(migration, systemd)
    if status == TEMPORARY_FAILURE and migration.marked:
        text = f"{migration.service}: the database can't be reached; this release was migrated before"
        return Outcome(migration, remark=text)
    reason = (
        "the database can't be reached" if status == TEMPORARY_FAILURE else f"it ended with status {status}"
    )
    return Outcome(
        migration,
        problem=f"{migration.service}: the migrations of release {migration.release} failed: {reason}. All "
        f"instances go on with what they run.\nThe end of the journal:\n"
        f"{systemd.journal(migration.unit, migration.service)}\nNext: correct the cause and run the playbook "
        f"again; more with: journalctl --namespace=+{migration.service} -u {migration.unit}",
    )


def _exit_status(migration: Migration, systemd: Systemd) -> int | str:
    try:
        said = systemd.call("show", "--value", "--property=ExecMainStatus", "--", migration.unit).strip()
    except SystemdError as error:
        return str(error)
    return int(said) if said.isdecimal() else said
