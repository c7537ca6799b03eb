# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Choose the hosts on which the dead letters of a service are looked at."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: dead_letter_hosts
short_description: Choose the hosts on which the dead letters of a service are looked at
description:
  - Every host of a consumer sees the same queues, so one host is asked for each consumer. Of a consumer that has a
    queue per site, one host of each site is asked.
options:
  _input:
    description: What derivation returns.
    type: dict
    required: true
  name:
    description: A service, which stands for its parts too, or any other entry that consumes.
    type: str
    required: true
  hosts:
    description: Hosts that can be asked.
    type: list
    elements: str
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
asked: "{{ platform | tandem.platform.dead_letter_hosts('orders', ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: Consumers to ask, by host.
  type: dict
"""


def dead_letter_hosts(platform: Mapping[str, Any], name: str, hosts: Sequence[str]) -> dict[str, list[str]]:
    """Return the entries to ask by host, {} when the service has no consumer on these hosts."""
    chosen: dict[str, list[str]] = {}
    for entry, service in platform["services"].items():
        if service["consumes"] and name in (entry, service["part_of"]):
            for host in _one_of_each(platform, entry, hosts):
                chosen.setdefault(host, []).append(entry)
    return chosen


def _one_of_each(platform: Mapping[str, Any], entry: str, hosts: Sequence[str]) -> list[str]:
    """Return a host of the entry, or one per site when any of its queues is a site's."""
    per_site = any(how["per"] == "site" for how in platform["services"][entry]["consumes"].values())
    first: dict[str, str] = {}
    for host in hosts:
        if any(view["name"] == entry for view in platform["views"][host]["services"]):
            first.setdefault(platform["hosts"][host]["site"] if per_site else "", host)
    return list(first.values())


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., dict[str, list[str]]]]:
        """Return the filter by name."""
        return {"dead_letter_hosts": dead_letter_hosts}
