#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Make a running Postgres read its configuration and certificates again when they are newer than what it read."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host

DOCUMENTATION = r"""
module: postgres_reload
short_description: Make Postgres read its configuration again when files are newer than what it read
description:
  - Waits until the instance answers, and compares the files' times with the time of its last reading. So also what an
    interrupted run or a renewed certificate left behind is taken up, by the next run.
  - Asks Postgres about mistakes in the files first; with a mistake nothing is read and the task fails.
  - Never restarts.
options:
  port:
    description: Port of the instance on this host.
    type: int
    required: true
  data_directory:
    description: Where its database lives.
    type: path
    required: true
  files:
    description: Files whose change needs a reload; those that do not exist are passed over.
    type: list
    elements: path
    required: true
  required:
    description: Whether an instance that doesn't answer is a failure. A node may be down because it fenced itself.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for the instance's answer.
    type: int
    default: 30
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Apply the configuration
  tandem.platform.postgres_reload:
    port: 5432
    data_directory: /var/lib/postgresql/17/node
    files: [/etc/tandem/postgres/node.conf, /etc/tandem/tls/postgres/certificate.pem]
"""

RETURN = r"""
running:
  description: Whether the instance answered.
  type: bool
  returned: always
"""

SPEC = {
    "port": {"type": "int", "required": True},
    "data_directory": {"type": "path", "required": True},
    "files": {"type": "list", "elements": "path", "required": True},
    "required": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
}

# What only a restart can change is no mistake, though Postgres lists it as one.
MISTAKES = """
select concat_ws(': ', sourcefile || ' line ' || sourceline, name, error) from pg_file_settings f
  where error is not null and error not like '%%without restarting%%'
    and not exists (select from pg_settings s where s.name = f.name and s.context = 'postmaster')
union all
select file_name || ' line ' || line_number || ': ' || error from pg_hba_file_rules where error is not null
union all
select file_name || ' line ' || line_number || ': ' || error from pg_ident_file_mappings where error is not null"""
LOADED = "select extract(epoch from pg_conf_load_time())::float8"


def newest(files: list[str]) -> float:
    """Time of the youngest file (unix seconds); 0 when there is none."""
    return max((Path(name).stat().st_mtime for name in files if Path(name).exists()), default=0.0)


def connected(module: AnsibleModule) -> Any:
    """Connection to the instance, or None when it does not answer in time."""

    def attempt() -> Any:
        try:
            return host.connect(host.local_dsn(module.params["port"]))
        except host.HostError:
            return None

    return host.wait_for(attempt, 0 if module.check_mode else module.params["timeout"])


def reload(module: AnsibleModule, connection: Any) -> None:
    """Have the files checked and read, and wait until that is done."""
    # Values that a restart would bring are only checked by a server that starts; this one prints a value and ends.
    command = [str(host.BINARIES / "postgres"), "-C", "port", "-D", module.params["data_directory"]]
    try:
        host.run(command, {"LC_ALL": "C.UTF-8"})
    except host.HostError as error:
        module.fail_json(msg=f"Not loaded, the running configuration stays in force: {error}")
    mistakes = [row[0] for row in host.query(connection, MISTAKES)]
    if mistakes:
        module.fail_json(msg="Not loaded, the running configuration stays in force:\n" + "\n".join(mistakes))
    before = host.query(connection, LOADED)
    host.query(connection, "select pg_reload_conf()")
    if not host.wait_for(lambda: True if host.query(connection, LOADED) != before else None, 10):
        module.fail_json(msg="Postgres did not read its configuration within 10 s; see its journal")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    connection = connected(module)
    if connection is None:
        if module.params["required"] and not module.check_mode:
            unit = "journalctl -u 'tandem-postgres*' -n 50"
            module.fail_json(msg=f"Postgres doesn't answer on port {module.params['port']}; look at: {unit}")
        if not module.check_mode:
            module.warn(
                f"Postgres on port {module.params['port']} doesn't run; a fenced node starts when it may"
            )
        module.exit_json(changed=False, running=False)
    try:
        changed = newest(module.params["files"]) > host.query(connection, LOADED)[0][0]
        if changed and not module.check_mode:
            reload(module, connection)
    except host.HostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, running=True)


if __name__ == "__main__":
    main()
