#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Run one command of a service on its host, as the service itself would."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import service_command
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd, SystemdError
from ansible_collections.tandem.platform.plugins.module_utils.service_host import HostError

DOCUMENTATION = r"""
module: service_command
short_description: Run one command of a service on its host, as the service itself would
description:
  - Runs a console script of the service's release with the user, environment, credentials, limits and sandbox of what
    is deployed. What it prints and logs is returned, and of a command that changes something also kept in the
    service's log.
options:
  name:
    description: The service, or any other entry of the catalog.
    type: str
    required: true
  command:
    description: A console script of its release, and arguments. Nothing in them is expanded.
    type: list
    elements: str
    required: true
  reads_only:
    description: Whether the command changes nothing; it is then also run in check mode.
    type: bool
    default: false
  seconds:
    description: How long it may take.
    type: int
    default: 300
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: List the messages that could not be handled
  tandem.platform.service_command:
    name: notifications
    command: [notifications, dead-letters, list]
    reads_only: true
"""

RETURN = r"""
stdout_lines:
  description: What it printed.
  type: list
  elements: str
  returned: success
stderr_lines:
  description: What it printed of errors; empty for a command that changes something, whose output is all in one.
  type: list
  elements: str
  returned: success
"""


def main() -> None:
    """Run it."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "reads_only": {"type": "bool", "default": False},
            "seconds": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode and not given["reads_only"]:
        module.exit_json(changed=True, stdout="", stderr="")
    try:
        done = service_command.run(
            given["name"], given["command"], not given["reads_only"], given["seconds"], Systemd()
        )
    except (service_command.CommandError, HostError, SystemdError) as error:
        module.fail_json(msg=str(error))
    if done.status:
        said = (done.errors or done.output).strip()
        module.fail_json(msg=f"{' '.join(given['command'][:2])} ended with {done.status}: {said}")
    module.exit_json(changed=not given["reads_only"], stdout=done.output, stderr=done.errors)


if __name__ == "__main__":
    main()
