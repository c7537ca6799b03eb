# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What ``tandem.platform.derive`` returned, as a person wants to read it."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import config_view as views

DOCUMENTATION = r"""
name: config_view
short_description: One view or all of what was derived from the inventory, for people
description:
  - Chooses a view, or all, from the result of M(tandem.platform.derive), for every host or one.
  - Masks the values of environment variables whose names contain PASSWORD, TOKEN, SECRET or KEY.
positional: view, host
options:
  _input:
    description: The result of M(tandem.platform.derive).
    type: dict
    required: true
  view:
    description: The view's name; V(all) for every one.
    type: str
    default: all
    choices:
      [all, catalog, hosts, sites, postgres, timeouts, apps, smoke, notices,
       etc_hosts, certificates, services, haproxy, nginx]
  host:
    description: One host, for views that every host has; empty for every host.
    type: str
    default: ""
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Show what HAProxy gets on one host
  ansible.builtin.debug:
    msg: "{{ platform | tandem.platform.config_view('haproxy', 'msk-edge1') }}"
"""

RETURN = r"""
_value:
  description: The views by name, per-host views by host below.
  type: dict
"""


def config_view(platform: Mapping[str, Any], view: str = views.ALL, host: str = "") -> dict[str, Any]:
    """Return the chosen views; an unknown name is an error with its cure."""
    try:
        return views.config_view(platform, view, host)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"config_view": config_view}
