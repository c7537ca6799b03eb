#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Bring services' databases to the releases that are about to run."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd, SystemdError
from ansible_collections.tandem.platform.plugins.module_utils.service_migrations import Migration, run

DOCUMENTATION = r"""
module: service_migrations
short_description: Bring services' databases to the releases that are about to run
description:
  - Runs the unit C(<service>-migrate) of each service on this host, all at once. The unit runs the release's
    migrations when the database has no record of them, and the init command when it was never run.
  - For one host of each service, before any instance of the release starts.
  - In check mode no database is asked. A release is then taken as migrated when this host saw it done.
options:
  services:
    description: Services with keys C(name) and C(release), the release's id.
    type: list
    elements: dict
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Migrate the databases
  tandem.platform.service_migrations:
    services: [{name: users, release: 561ed23a6ab1}]
"""

RETURN = r"""
done:
  description: What was done per service, C(migrated) and C(initialised).
  type: dict
  returned: always
"""


def predict(migrations: list[Migration]) -> dict[str, Any]:
    """Return the result of check mode."""
    done = {item.service: ["migrated"] for item in migrations if not item.marked}
    return {"changed": bool(done), "done": done}


def main() -> None:
    """Run the units, tell what they did."""
    module = AnsibleModule(
        argument_spec={"services": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    migrations = [Migration(item["name"], item["release"]) for item in module.params["services"]]
    if module.check_mode:
        module.exit_json(**predict(migrations))
    try:
        outcomes = run(migrations, Systemd())
    except (SystemdError, OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg=f"migrations could not be run: {error}")
    for outcome in outcomes:
        if outcome.remark:
            module.warn(outcome.remark)
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    done = {outcome.migration.service: list(outcome.done) for outcome in outcomes if outcome.done}
    if problems:
        module.fail_json(msg="\n\n".join(problems), done=done)
    module.exit_json(changed=bool(done), done=done)


if __name__ == "__main__":
    main()
