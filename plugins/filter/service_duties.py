# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Which host does for a service what only one host does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: service_duties
short_description: Which host does for a service what only one host does
description:
  - Given the views of all hosts and the hosts of this run, returns for one host the services whose databases it
    migrates (it is the inventory's first among the run's hosts that run them), and those that no other host of the
    run runs.
options:
  _input:
    description: C(platform.views), per host with its C(services).
    type: dict
    required: true
  host:
    description: The host.
    type: str
    required: true
  hosts:
    description: The hosts of this run.
    type: list
    elements: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
duties: "{{ platform.views | tandem.platform.service_duties(inventory_hostname, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: C(migrate) and C(alone), lists of services' names.
  type: dict
"""


def service_duties(
    views: Mapping[str, Mapping[str, Any]], host: str, hosts: Sequence[str]
) -> dict[str, list[str]]:
    """Return `migrate` and `alone` of a host.

    The order is that of the views, the inventory's: a group that is made during a run has its hosts in the order in
    which they happened to answer, and the duty to migrate would move from run to run.
    """
    running: dict[str, list[str]] = {}
    for name in views:
        for service in views[name]["services"] if name in hosts else ():
            running.setdefault(str(service["name"]), []).append(str(name))
    return {
        "migrate": [service for service, places in running.items() if places[0] == host],
        "alone": [service for service, places in running.items() if places == [host]],
    }


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return filters by name."""
        return {"service_duties": service_duties}
