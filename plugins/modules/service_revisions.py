#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name; nothing of it runs on a host by this name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_revisions
short_description: Place units, environments and credentials of a host's services
description:
  - A revision is a release with its environment, its secrets and its unit. This places the revision of each
    service, in a folder named after a hash of all of it, and changes nothing that runs; that is the part of
    M(tandem.platform.instances).
  - Places everything with one call of M(tandem.platform.files), with its check mode and its diffs. Secrets are
    never shown.
  - For use in the role C(service), whose templates it renders.
options:
  services:
    description: The services of the host, as C(platform.views[HOST].services) of M(tandem.platform.derive).
    type: list
    elements: dict
    required: true
  releases:
    description: By service its release, from M(tandem.platform.release).
    type: dict
    required: true
  migrate:
    description: The services whose databases this host migrates, by name.
    type: list
    elements: str
    default: []
  secrets_directory:
    description: The controller's folder of secrets; the variable C(platform_secrets_dir) when empty.
    type: str
    default: ""
  lease_seconds:
    description: How long the lease of a timer's run lasts without renewal; at least 20.
    type: int
    default: 60
  grace_seconds:
    description: How long after its moment the run of a timer may begin, unless missed runs are caught up.
    type: int
    default: 300
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Place units, environments and credentials
  tandem.platform.service_revisions:
    services: "{{ service_list }}"
    releases: "{{ service_releases }}"
  register: placed
"""

RETURN = r"""
revisions:
  description: What M(tandem.platform.instances) needs to know of each service.
  type: list
  elements: dict
  returned: success
migrations:
  description: What M(tandem.platform.service_migrations) needs to know.
  type: list
  elements: dict
  returned: success
changed_logs:
  description: The services whose limits of logs have changed.
  type: list
  elements: str
  returned: success
"""
