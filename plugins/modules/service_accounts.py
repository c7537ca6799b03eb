#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""One Unix user per service, and the folders of volumes that do not exist yet."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: service_accounts
short_description: One Unix user per service
description:
  - Creates a system user with a group of the same name, no home and no login for each service.
  - Creates the folders on the host that services' volumes name and that do not exist. A writable one belongs to
    the service's user, one that is read only to root. Folders that exist are left as they are.
options:
  services:
    description: Services, with keys C(user) and C(volumes) ("/host:/target:ro").
    type: list
    elements: dict
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Create the services' users
  tandem.platform.service_accounts:
    services: "{{ service_list }}"
"""

RETURN = r"""
created:
  description: Users and folders that were missing.
  type: list
  elements: str
  returned: always
"""

USERADD = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]


def missing_users(names: Iterable[str]) -> list[str]:
    """Return the users that this host does not have."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return [name for name in dict.fromkeys(names) if name not in known]


def missing_folders(services: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the folders of volumes that are missing, with their owners."""
    folders: dict[str, str] = {}
    for service in services:
        for volume in service["volumes"]:
            source, _, rest = volume.partition(":")
            if not os.path.lexists(source):
                folders[source] = "root" if rest.endswith(":ro") else service["user"]
    return folders


def create_folder(path: str, owner: str) -> None:
    """Create a folder; its parents are plain folders of root."""
    folder = Path(path)
    for parent in reversed(folder.parents):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)
    folder.mkdir()
    entry = pwd.getpwnam(owner)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o755 if owner == "root" else 0o750)


def main() -> None:
    """Create what is missing."""
    module = AnsibleModule(
        argument_spec={"services": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    services = module.params["services"]
    users = missing_users(service["user"] for service in services)
    folders = missing_folders(services)
    if not module.check_mode:
        try:
            for user in users:
                subprocess.run(
                    [*USERADD, "--shell", "/usr/sbin/nologin", "--comment", "Tandem service", user],
                    check=True,
                    capture_output=True,
                    text=True,
                )
            for path, owner in folders.items():
                create_folder(path, owner)
        except subprocess.CalledProcessError as error:
            module.fail_json(msg=f"user {error.cmd[-1]} could not be created: {error.stderr.strip()}")
        except OSError as error:
            module.fail_json(msg=f"a volume's folder could not be created: {error}")
    module.exit_json(changed=bool(users or folders), created=[*users, *folders])


if __name__ == "__main__":
    main()
