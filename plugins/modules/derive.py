#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: derive
short_description: Validate the inventory and derive what every host needs
description:
  - Reads the C(platform_*) variables, C(services), C(services_override), the groups and the hosts' addresses.
    Refuses the run with the list of all problems, each with its key, value and cure, or returns everything
    that the playbooks hand to the roles.
  - Runs on the controller alone. It needs no facts and touches no host.
  - Every key is described in C(docs/catalog.md).
notes:
  - Needs pydantic 2 where ansible-playbook runs.
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Validate the inventory and derive what every host needs
  hosts: platform
  gather_facts: false
  tasks:
    - name: Derive
      tandem.platform.derive:
      run_once: true
      register: platform
"""

RETURN = r"""
hosts:
  description: Site, addresses, full name and classes by host.
  type: dict
  returned: success
views:
  description: >-
    By host, the inputs of its roles: C(etc_hosts), C(certificates), C(services), C(haproxy) and C(nginx).
  type: dict
  returned: success
postgres:
  description: Monitor, nodes, networks, databases and settings.
  type: dict
  returned: success
rabbitmq:
  description: Nodes, exchanges, queues, bindings and users of the catalog's events.
  type: dict
  returned: success
valkey:
  description: Where Valkey runs, one instance per site, and the services that may use it.
  type: dict
  returned: success
timeouts:
  description: The chosen profile, its promise and its values.
  type: dict
  returned: success
services:
  description: The merged catalog with its defaults, parts and derived relays.
  type: dict
  returned: success
apps:
  description: What the controller builds for each service; parts run their parent's.
  type: list
  elements: dict
  returned: success
smoke_paths:
  description: Paths that every edge must answer.
  type: list
  elements: str
  returned: success
notices:
  description: What a person should know, one sentence each; Ansible prints them as warnings too.
  type: list
  elements: str
  returned: success
"""
