#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Find missing packages: the host's half (the action plugin lets ansible.builtin.apt install them)."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.dpkg import missing

DOCUMENTATION = r"""
module: packages
short_description: Install Debian packages, quickly when they are there
description:
  - Asks dpkg, which takes milliseconds, and calls ansible.builtin.apt only for packages that are missing.
    apt's own cache takes the better part of a second to open, on every host and every run.
  - In check mode missing packages are predicted without apt, so that a fresh host needs no package lists and
    no repository that an earlier task would have added.
options:
  names:
    description: Packages, each C(name) or C(name=version).
    type: list
    elements: str
    required: true
  cache_valid_time:
    description:
      - Seconds for which package lists are taken as fresh when something has to be installed. When that fails, it is
        tried once more with lists fetched anew.
    type: int
    default: 3600
notes:
  - Recommended packages are not installed. Changed configuration files are kept.
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Install HAProxy
  tandem.platform.packages:
    names: [haproxy]
"""

RETURN = r"""
missing:
  description: The packages that were missing, and are installed now except in check mode.
  type: list
  elements: str
  returned: always
"""


def main() -> None:
    """Report what is missing; installs nothing."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "cache_valid_time": {"type": "int", "default": 3600},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, missing=missing(module.params["names"]))


if __name__ == "__main__":
    main()
