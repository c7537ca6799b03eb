#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Refuse settings with which a standby could not follow its primary."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils import postgres_limits as limits

DOCUMENTATION = r"""
module: postgres_limits
short_description: Refuse settings with which a standby could not follow its primary
description:
  - A standby stops replaying, and can't be promoted, when its C(max_connections) (or one of four others) is lower than
    its primary's. So these can be raised on a running cluster, standby first, but not lowered.
  - Changes nothing; to be called before the settings are placed. A host without a database passes.
options:
  data_directory:
    description: Where the database lives.
    type: path
    required: true
  settings:
    description: The settings to be placed, by name.
    type: dict
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Refuse settings with which a standby could not follow
  tandem.platform.postgres_limits:
    data_directory: /var/lib/postgresql/17/node
    settings: {max_connections: 100}
"""

RETURN = r"""# """


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "data_directory": {"type": "path", "required": True},
            "settings": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    directory = module.params["data_directory"]
    if not Path(directory, "global/pg_control").exists():
        module.exit_json(changed=False)
    try:
        found = limits.lowered(
            module.params["settings"],
            host.run([str(host.BINARIES / "pg_controldata"), "-D", directory], {"LC_ALL": "C"}),
        )
    except host.HostError as error:
        module.fail_json(msg=str(error))
    if found:
        module.fail_json(
            msg=f"A running cluster can't have {', '.join(found)}: its standby could neither follow nor be promoted. "
            "Nothing was changed. Keep the larger value; an unused connection costs little."
        )
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
