#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Make releases of services' apps, on the controller
description:
  - Makes a release of each app. A release is the app's own wheel, those of its local packages and those of its
    lock, all of which fit the hosts' Python; the controller may run another one.
  - A release's id is a hash of all that it is made from. A release that is in the user's cache folder
    (C(~/.cache/tandem/releases)) is not made again, and no package index is asked then.
  - Downloads and builds with pip, with the settings that pip has on this machine.
  - An app folder whose C(tool.tandem.assets) names a folder with C(package.json) and C(package-lock.json) has
    files for browsers. C(npm ci) and C(npm run build) are run in a copy of it before the wheel is built; what is in
    its C(dist) then, except C(manifest.json), is kept for M(tandem.platform.static_files).
  - Touches no host. Makes releases in check mode too.
options:
  apps:
    description: The apps, as C(platform.apps) of M(tandem.platform.derive) has them.
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: The service's name.
        type: str
        required: true
      source_kind:
        description:
          - What C(source) is. C(folder) has a C(pyproject.toml) and a C(requirements.lock) with hashes; its
            C(tool.tandem.local) lists folders of packages that are built too. C(wheel) is a wheel file with its
            lock beside it (C(<wheel>.lock)). C(requirement) is C(name==version), resolved once.
        type: str
        choices: [folder, wheel, requirement]
        required: true
      source:
        description: A path or a requirement.
        type: str
        required: true
      python:
        description: The hosts' Python.
        type: str
        default: "3.13"
      machine:
        description: The hosts' machine, as C(uname -m) says.
        type: str
        default: x86_64
  cache:
    description: The folder of wheels and releases, when it is not the user's own.
    type: path
notes:
  - Use it with C(run_once).
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Make the releases
  tandem.platform.release:
    apps: "{{ platform.apps }}"
  run_once: true
  register: built
"""

RETURN = r"""
releases:
  description:
    - By service, C(id), C(archive) (the path of the release's description on the controller) and C(static)
      (that of its archive of files for browsers, empty where it has none).
  type: dict
  returned: success
built:
  description: The services whose releases were not in the cache.
  type: list
  elements: str
  returned: success
"""
