#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Install releases on a host (the controller's half is the action plugin)."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils.service_releases import (
    InstallError,
    Release,
    install,
    missing_releases,
    missing_wheels,
    require_python,
)

DOCUMENTATION = r"""
module: releases
short_description: Install services' releases
description:
  - Installs releases that M(tandem.platform.release) made, without any network, below C(/opt/tandem).
  - One call for all services of a host. Only wheels that the host lacks are sent to it; wheels that several
    releases share are unpacked, compiled and stored once.
  - A release's folder never changes after it has appeared; what runs is untouched.
options:
  releases:
    description:
      - Per service its release, as C(releases) of the result of M(tandem.platform.release) has it,
        with keys C(id) and C(archive).
    type: dict
    default: {}
  services:
    description: Install only the releases of these services, by name; of all when it is left out.
    type: list
    elements: str
  descriptions:
    description: Set by the action plugin; not for playbooks.
    type: str
  bundle:
    description: Set by the action plugin; not for playbooks.
    type: path
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Install the releases
  tandem.platform.releases:
    releases: "{{ built.releases }}"
"""

RETURN = r"""
installed:
  description: The releases that were missing, as service/id.
  type: list
  elements: str
  returned: always
"""


def run(releases: list[Release], bundle: str | None) -> dict[str, Any]:
    """Return what is missing; install it when there is a bundle."""
    require_python(releases)
    missing = missing_releases(releases)
    lacking = [f"{wheel.sha256}/{wheel.file}" for wheel in missing_wheels(missing)]
    if missing and bundle:
        install(missing, Path(bundle))
        lacking = []
    names = [f"{release.service}/{release.id}" for release in missing]
    return {"changed": bool(missing), "installed": names, "missing_wheels": lacking}


def main() -> None:
    """Ask or install."""
    module = AnsibleModule(
        argument_spec={
            "releases": {"type": "dict", "default": {}},
            "services": {"type": "list", "elements": "str"},
            "descriptions": {"type": "str"},
            "bundle": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if module.params["descriptions"] is None:
        module.fail_json(msg="tandem.platform.releases needs its action plugin; call it as a task")
    releases = [Release.read(item) for item in json.loads(module.params["descriptions"])]
    try:
        result = run(releases, None if module.check_mode else module.params["bundle"])
    except (InstallError, OSError) as error:
        module.fail_json(msg=f"Releases could not be installed; what runs is untouched. {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
