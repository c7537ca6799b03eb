#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Remove services that are no longer wanted, and what the others no longer need."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import service_cleanup, service_host
from ansible_collections.tandem.platform.plugins.module_utils.instances_door import Door, DoorError
from ansible_collections.tandem.platform.plugins.module_utils.instances_managers import Managers
from ansible_collections.tandem.platform.plugins.module_utils.instances_roll import Roller, RollError, Times
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd, SystemdError

DOCUMENTATION = r"""
module: service_cleanup
short_description: Remove services that are no longer wanted, and what the others no longer need
description:
  - Stops services that were deployed to this host and are not listed, behind a drain, and removes their units,
    environments, credentials and releases. Their data stays, as do their logs and their Unix users; the result
    says what stays and how to remove it.
  - Removes revisions that nothing runs, and releases beyond the newest ones that are kept.
options:
  services:
    description: The services that this host shall run, by name.
    type: list
    elements: str
    default: []
  remove:
    description: Remove these services, by name, and nothing else.
    type: list
    elements: str
    default: []
  keep:
    description: How many old releases of a service stay.
    type: int
    default: 3
  drain_seconds:
    description: As of M(tandem.platform.instances).
    type: float
    default: 30
  notice_seconds:
    description: As of M(tandem.platform.instances).
    type: float
    default: 5
  door_socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Remove what is no longer used
  tandem.platform.service_cleanup:
    services: [users, products]
"""

RETURN = r"""
removed:
  description: The services that were removed.
  type: list
  elements: str
  returned: always
kept:
  description: What stays of them, one line each.
  type: list
  elements: str
  returned: always
paths:
  description: Folders that nothing needs, of the services that stay.
  type: list
  elements: str
  returned: always
"""


def services_to_remove(parameters: dict[str, Any]) -> list[str]:
    """Return what goes: what is asked for, or else what was deployed and is not listed."""
    if parameters["remove"]:
        deployed = service_host.deployed()
        return [name for name in parameters["remove"] if name in deployed]
    return service_cleanup.surplus_services(parameters["services"])


def run(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Find what goes, and remove it unless only predicting."""
    managers = Managers(Systemd())
    times = Times(drain=parameters["drain_seconds"], notice=parameters["notice_seconds"])
    roller = Roller(managers, Door(Path(parameters["door_socket"])), times)
    names = services_to_remove(parameters)
    manifests = {name: service_host.manifest(name) for name in names}
    paths = (
        []
        if parameters["remove"]
        else service_cleanup.unused(parameters["services"], managers, parameters["keep"])
    )
    lines = {name: service_cleanup.kept(name, manifests[name]) for name in names}
    if (names or paths) and not check_mode:
        with service_host.exclusive():
            for name in names:
                lines[name] = service_cleanup.remove_service(name, roller).kept
            service_cleanup.remove_unused(paths, managers.systemd)
    return {
        "changed": bool(names or paths),
        "removed": list(names),
        "kept": [f"{name}: {line}" for name in names for line in lines[name]],
        "paths": [str(path) for path in paths],
    }


def main() -> None:
    """Read the arguments, act, tell."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "str", "default": []},
            "remove": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "int", "default": 3},
            "drain_seconds": {"type": "float", "default": 30},
            "notice_seconds": {"type": "float", "default": 5},
            "door_socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except (RollError, SystemdError, DoorError, service_host.HostError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
