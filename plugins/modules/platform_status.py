#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Tell how a host's part of the platform is."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import platform_status

DOCUMENTATION = r"""
module: platform_status
short_description: Tell how a host's part of the platform is
description:
  - Reads only, and everything in one call. What can't be found out is told as an error of its part.
options:
  monitor_port:
    description: Port of the Postgres failover monitor on this host; 0 where none is.
    type: int
    default: 0
  databases:
    description: On data nodes the services' databases by service.
    type: dict
    default: {}
  broker_node:
    description: Name of this host's RabbitMQ node; empty where none is.
    type: str
    default: ""
  alertmanager:
    description: Address of this host's Alertmanager; empty where none is.
    type: str
    default: ""
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Look
  tandem.platform.platform_status:
    broker_node: rabbit@msk-data1.example.org
"""

RETURN = r"""
status:
  description: By part what was found, and C(errors) by part.
  type: dict
  returned: always
"""


def main() -> None:
    """Look and tell."""
    module = AnsibleModule(
        argument_spec={
            "monitor_port": {"type": "int", "default": 0},
            "databases": {"type": "dict", "default": {}},
            "broker_node": {"type": "str", "default": ""},
            "alertmanager": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, status=platform_status.look(platform_status.parts(module.params)))


if __name__ == "__main__":
    main()
