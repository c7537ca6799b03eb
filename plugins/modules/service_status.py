#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Tell which instances of services run on a host."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import service_host, service_status
from ansible_collections.tandem.platform.plugins.module_utils.instances_managers import Managers
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd, SystemdError

DOCUMENTATION = r"""
module: service_status
short_description: Tell which instances of services run on a host
description:
  - Reads only.
options:
  names:
    description: Services by name.
    type: list
    elements: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: See what runs
  tandem.platform.service_status:
    names: [users]
"""

RETURN = r"""
instances:
  description:
    - One entry per instance, with service, instance, state, revision, release, since, memory, note. A timer has one
      entry, whose instance is null; its note has the next run and the last result.
  type: list
  elements: dict
  returned: always
"""


def main() -> None:
    """Read and tell."""
    module = AnsibleModule(
        argument_spec={"names": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    result: dict[str, Any] = {"changed": False}
    try:
        result["instances"] = service_status.rows(module.params["names"], Managers(Systemd()))
    except (SystemdError, service_host.HostError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
