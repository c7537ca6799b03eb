#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The human's promotion of a standby that the stall guard took out, after its primary was lost for good."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils import postgres_promotion as promotion

DOCUMENTATION = r"""
module: postgres_promote
short_description: Promote a Postgres standby that lacks acknowledged writes
description:
  - Runs on the monitor's host. When the link between the data nodes breaks, the stall guard lets the primary go on
    alone and makes the standby unpromotable. If the primary is lost before they are in sync again, only a human can
    decide to go on with the standby, and to lose what it lacks.
  - Without O(confirm) it tells what would be lost and changes nothing. With it, it proves that the standby is in that
    state and the primary is gone, makes the standby promotable, and waits until it takes writes.
  - The primary must have no power before. It may still take writes at its own site, and those would be lost, too.
options:
  port:
    description: The monitor's port on this host.
    type: int
    required: true
  confirm:
    description: Name of the standby to promote.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for the new primary.
    type: int
    default: 60
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Promote after a disaster
  tandem.platform.postgres_promote:
    port: 5431
    confirm: spb-data1
"""

RETURN = r"""
loss:
  description: What is, or would be, lost.
  type: str
  returned: always
promoted:
  description: Whether the standby was promoted.
  type: bool
  returned: always
"""

SPEC = {
    "port": {"type": "int", "required": True},
    "confirm": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 60},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        connection = host.connect(host.local_dsn(module.params["port"], "pg_auto_failover"))

        def ask(sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
            return host.query(connection, sql, given)

        case = promotion.read(ask)
    except host.HostError as error:
        module.fail_json(msg=f"No promotion, the monitor can't be asked: {error}")
    except promotion.NoCase as reason:
        module.fail_json(msg=f"No promotion: {reason} Nothing was changed.")
    confirm, loss = module.params["confirm"], promotion.loss(case)
    if not confirm or module.check_mode:
        module.exit_json(changed=bool(confirm), promoted=False, loss=loss, plan=promotion.plan(case))
    refusal = promotion.refusal(case, confirm)
    if refusal:
        module.fail_json(msg=f"No promotion: {refusal} Nothing was changed.", loss=loss)
    try:
        done = promotion.promote(
            ask, case, lambda condition: host.wait_for(condition, module.params["timeout"])
        )
    except host.HostError as error:
        module.fail_json(msg=f"The promotion of {confirm} was not completed: {error}", loss=loss)
    if not done:
        module.fail_json(
            msg=f"{confirm} may be promoted now, but is no primary after {module.params['timeout']} s",
            loss=loss,
        )
    module.exit_json(changed=True, promoted=True, loss=loss)


if __name__ == "__main__":
    main()
