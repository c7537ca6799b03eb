#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Have the databases and roles of services on the primary, with least privilege, and run their init scripts once."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_databases as plans
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils import postgres_metrics
from ansible_collections.tandem.platform.plugins.module_utils.postgres_node import WRITABLE_SQL
from ansible_collections.tandem.platform.plugins.module_utils.postgres_timers import timer_steps

DOCUMENTATION = r"""
module: postgres_databases
short_description: Have the databases and roles of services on the primary
description:
  - Runs on every data node and acts on the one that takes writes; on the others it does nothing.
  - Each database gets an owner role (for migrations) and a runtime role that may read and write, but not define, what
    the owner makes. Both can log in, with passwords that are compared and set as SCRAM verifiers only. Nobody else may
    connect.
  - Init scripts run once, as the owner, each in one transaction with the note that it ran (schema C(tandem)).
  - Each database also has the tables in which hosts agree whose turn a timer is; the runtime role may use them.
  - Nothing is ever removed. Databases that are not listed are reported with the command that would remove them.
  - Each database also shows the role of exporters how long its outbox is and who holds its leases, and nothing else.
  - Also has the stall guard's role, and takes what it can from the monitor's health check role.
options:
  databases:
    description:
      - The databases. Keys C(name), C(owner), C(runtime), C(connection_limit) of the runtime role (null for none) and
        C(init), paths of scripts as in O(scripts).
    type: list
    elements: dict
    required: true
  passwords:
    description: Password of each role by name.
    type: dict
    required: true
  scripts:
    description: Content of each init script by path.
    type: dict
    default: {}
  port:
    description: Port of this node's Postgres.
    type: int
    default: 5432
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Have the databases
  tandem.platform.postgres_databases:
    databases:
      - {name: users, owner: users_owner, runtime: users, connection_limit: 20, init: []}
    passwords: "{{ users_passwords }}"
"""

RETURN = r"""
changes:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: always
left:
  description: Databases that are not listed, each with C(database), C(size) and C(to_remove_it_for_ever).
  type: list
  elements: dict
  returned: always
writable:
  description: Whether this node takes writes.
  type: bool
  returned: always
"""

SPEC = {
    "databases": {"type": "list", "elements": "dict", "required": True},
    "passwords": {"type": "dict", "required": True, "no_log": True},
    "scripts": {"type": "dict", "default": {}},
    "port": {"type": "int", "default": 5432},
}


class Databases:
    """The databases of one cluster, reached on its primary."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wanted: list[dict[str, Any]] = module.params["databases"]
        self.changes: list[str] = []
        self.connection = self.open("postgres")

    def open(self, database: str) -> Any:
        """Connection to a database of this node."""
        return host.connect(host.local_dsn(self.module.params["port"], database), limit_ms=60_000)

    def ask(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows from the database postgres."""
        return host.query(self.connection, sql, arguments)

    def apply(self, connection: Any, steps: list[plans.Step]) -> None:
        """Note the steps, and do them unless in check mode."""
        for step in steps:
            self.changes.append(step.what)
            for statement in step.statements:
                if not self.module.check_mode:
                    host.query(connection, statement.replace("%", "%%"))

    def exists(self, sql: str, wanted: str) -> bool:
        """Whether the catalog has a row for a name."""
        return bool(self.ask(sql, (wanted,)))

    def have_all(self) -> None:
        """Roles of the cluster, then each database with its roles."""
        self.apply(self.connection, plans.cluster_steps(self.ask))
        self.apply(self.connection, postgres_metrics.role_steps(self.ask))
        self.apply(self.connection, plans.exporter_steps(self.ask))
        for database in self.wanted:
            self.have(database)

    def have(self, wanted: dict[str, Any]) -> None:
        """One database: roles, database, what is inside, scripts."""
        database, owner, runtime = wanted["name"], wanted["owner"], wanted["runtime"]
        limit = wanted.get("connection_limit")
        passwords = self.module.params["passwords"]
        self.apply(
            self.connection, plans.role_steps(self.ask, owner, passwords[owner], plans.OWNER_CONNECTIONS)
        )
        limit = -1 if limit is None else int(limit)
        self.apply(self.connection, plans.role_steps(self.ask, runtime, passwords[runtime], limit))
        known = self.exists("select 1 from pg_roles where rolname = %s", runtime)
        self.apply(self.connection, plans.database_steps(self.ask, database, owner, runtime, known))
        if self.module.check_mode and not (
            known and self.exists("select 1 from pg_database where datname = %s", database)
        ):
            self.changes += [
                f"init script {plans.base(path)} in {database}" for path in wanted.get("init") or []
            ]
            return
        inside = self.open(database)
        try:

            def ask(sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
                return host.query(inside, sql, given)

            self.apply(inside, plans.inside_steps(ask, database, owner, runtime))
            self.apply(inside, timer_steps(ask, database, runtime))
            if self.exists("select 1 from pg_roles where rolname = %s", plans.METRICS_ROLE):
                self.apply(inside, postgres_metrics.inside_steps(ask, database, owner))
            self.run_scripts(inside, database, owner, wanted.get("init") or [])
        finally:
            inside.close()

    def run_scripts(self, inside: Any, database: str, owner: str, paths: list[str]) -> None:
        """Run the scripts that never ran here."""
        scripts: dict[str, str] = self.module.params["scripts"]
        noted = host.query(inside, "select to_regclass('tandem.init_scripts') is not null")[0][0]
        done = dict(host.query(inside, "select name, sha256 from tandem.init_scripts")) if noted else {}
        todo, changed = plans.script_plan(done, paths, scripts)
        for changed_name in changed:
            self.module.warn(
                f"init script {changed_name} changed since it ran in {database}; it is not run again"
            )
        for path in todo:
            self.changes.append(f"init script {plans.base(path)} in {database}")
            if not self.module.check_mode:
                self.run_script(database, owner, plans.base(path), scripts[path])

    def run_script(self, database: str, owner: str, script_name: str, script: str) -> None:
        """Run one script and note it, in one transaction; psql, since scripts may use its commands."""
        with tempfile.TemporaryDirectory() as directory:
            shutil.chown(directory, host.USER)
            (first := Path(directory, "script.sql")).write_text(script, encoding="utf-8")
            (second := Path(directory, "note.sql")).write_text(plans.NOTE_SQL, encoding="utf-8")
            command = ["psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set", "ON_ERROR_STOP=1"]
            command += ["--set", f"script={script_name}", "--set", f"digest={plans.digest(script)}"]
            command += [
                "--host",
                host.SOCKETS,
                "--port",
                str(self.module.params["port"]),
                "--dbname",
                database,
            ]
            command += [
                "-c",
                f"set role {plans.name(owner)}",
                "-f",
                str(first),
                "-c",
                "reset role",
                "-f",
                str(second),
            ]
            for path in (first, second):
                shutil.chown(path, host.USER)
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                user=host.USER,
                group=host.USER,
                cwd=host.HOME,
                check=False,
            )
        if done.returncode != 0:
            raise host.HostError(
                f"init script {script_name} failed in {database}, nothing of it stays:\n{host.tail(done.stderr)}"
            )


def takes_writes(module: AnsibleModule) -> bool | None:
    """Whether this node takes writes; None when it can't be asked."""
    try:
        return bool(host.ask(host.local_dsn(module.params["port"]), WRITABLE_SQL)[0][0])
    except host.HostError:
        return None


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    writable = takes_writes(module)
    if writable is None and module.check_mode:
        expected = [f"database {database['name']}" for database in module.params["databases"]]
        module.exit_json(changed=bool(expected), changes=expected, left=[], writable=False)
    if writable is None:
        module.warn("Postgres does not answer on this node")
    if not writable:
        module.exit_json(changed=False, changes=[], left=[], writable=False)
    try:
        task = Databases(module)
        task.have_all()
        left = plans.left_over(task.ask, [database["name"] for database in task.wanted])
    except (host.HostError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(task.changes), changes=task.changes, left=left, writable=True)


if __name__ == "__main__":
    main()
