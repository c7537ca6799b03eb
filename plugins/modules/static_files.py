#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Keep the files for browsers of services' releases on an edge (the controller's half is the action plugin)."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils.static_sets import (
    Change,
    StaticError,
    apply,
    plan,
)

DOCUMENTATION = r"""
module: static_files
short_description: Keep the files for browsers of services' releases on an edge
description:
  - Places the files for browsers that M(tandem.platform.release) made, without any network, as
    C(/var/lib/tandem/static/SERVICE/), for NGINX to serve.
  - One call for all services. Only files of releases that the host lacks are sent to it. A release's files appear
    in one step, after all of them are on disk.
  - Files of older releases stay for a while, because pages that name them are still open or still being made.
  - A service that is not listed loses its files.
options:
  releases:
    description:
      - Per service its release, as C(releases) of the result of M(tandem.platform.release) has it,
        with keys C(id) and C(static).
    type: dict
    default: {}
  keep:
    description: Of how many older releases the files stay.
    type: int
    default: 3
  wanted:
    description: Set by the action plugin; not for playbooks.
    type: dict
  bundle:
    description: Set by the action plugin; not for playbooks.
    type: path
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Bring the files for browsers
  tandem.platform.static_files:
    releases: "{{ built.releases }}"
"""

RETURN = r"""
placed:
  description: The releases whose files were missing, as service/id.
  type: list
  elements: str
  returned: always
removed:
  description: The services that lost their files.
  type: list
  elements: str
  returned: always
"""


def run(wanted: dict[str, str], keep: int, bundle: str | None, check_mode: bool) -> dict[str, Any]:
    """Return what changes; make the changes once everything that is missing is here.

    `wanted`: a release's id by service, empty where the release has no files.
    """
    releases = {service: release for service, release in wanted.items() if release}
    changes = plan(releases, wanted, keep)
    missing = [change.service for change in changes if change.missing]
    if changes and not check_mode and (bundle or not missing):
        apply(changes, Path(bundle) if bundle else None)
        missing = []
    return {
        "changed": bool(changes),
        "missing": missing,
        "placed": [_name(change) for change in changes if change.missing],
        "removed": [change.service for change in changes if not change.keep],
    }


def _name(change: Change) -> str:
    return f"{change.service}/{change.keep[0]}"


def main() -> None:
    """Ask or place."""
    module = AnsibleModule(
        argument_spec={
            "releases": {"type": "dict", "default": {}},
            "keep": {"type": "int", "default": 3},
            "wanted": {"type": "dict"},
            "bundle": {"type": "path"},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    if parameters["wanted"] is None:
        module.fail_json(msg="tandem.platform.static_files needs its action plugin; call it as a task")
    try:
        result = run(parameters["wanted"], parameters["keep"], parameters["bundle"], module.check_mode)
    except (StaticError, OSError) as error:
        module.fail_json(msg=f"Files for browsers could not be placed. {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
