#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Have what the platform adds to the monitor's own database."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_failover, postgres_metrics
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host

DOCUMENTATION = r"""
module: postgres_monitor
short_description: Have the platform's own function in the database of the Postgres failover monitor
description:
  - Defines C(tandem.fail_over), by which a failover is requested without a race between the request and the reports of
    the nodes, which in pg_auto_failover 2.2 can lose writes.
  - Has the role by which the host's exporter reads the cluster's state.
options:
  port:
    description: The monitor's port on this host.
    type: int
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Have the safe failover
  tandem.platform.postgres_monitor:
    port: 5431
"""

RETURN = r""" # """


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"port": {"type": "int", "required": True}}, supports_check_mode=True
    )

    def query(sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        return host.query(connection, sql, arguments)

    try:
        connection = host.connect(host.local_dsn(module.params["port"], "pg_auto_failover"))
        steps = postgres_metrics.monitor_steps(query)
        undefined = not postgres_failover.defined(query)
        changed = undefined or bool(steps)
        if undefined and not module.check_mode:
            postgres_failover.define(query)
        for statement in (sql for step in steps for sql in step.statements):
            if not module.check_mode:
                query(statement, ())
    except host.HostError as error:
        if module.check_mode:
            module.exit_json(changed=True, msg="The monitor does not run yet.")
        module.fail_json(
            msg=f"The monitor on this host can't be asked: {error}. Next: journalctl -u tandem-postgres-monitor"
        )
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
