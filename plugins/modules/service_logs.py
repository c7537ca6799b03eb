#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Show a service's logs, and follow them; the action plugin of the same name calls this again and again."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import service_logs

DOCUMENTATION = r"""
module: service_logs
short_description: Show a service's logs, and follow them
description:
  - Prints the end of the logs of a service's instances on every host of the play, each line with its host's name,
    and then what is added, while it is added. Reads only.
options:
  name:
    description: The service.
    type: str
    required: true
  lines:
    description: That many last lines to begin with.
    type: int
    default: 50
  follow:
    description: Seconds for which new lines are printed; 0 ends after the last lines.
    type: int
    default: 0
  after:
    description: Where to go on; the plugin's own use.
    type: str
    default: ""
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: See what the service does for a minute
  tandem.platform.service_logs:
    name: orders
    follow: 60
"""

RETURN = r"""
lines:
  description: The last lines that were read.
  type: list
  elements: str
  returned: success
after:
  description: Where they end.
  type: str
  returned: success
"""


def main() -> None:
    """Read once."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "lines": {"type": "int", "default": 50},
            "follow": {"type": "int", "default": 0},
            "after": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        lines, after = service_logs.read(given["name"], given["lines"], given["after"])
    except service_logs.LogError as error:
        module.fail_json(msg=f"The logs of {given['name']} can't be read: {error}")
    module.exit_json(changed=False, lines=lines, after=after)


if __name__ == "__main__":
    main()
