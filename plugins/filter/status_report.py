# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The platform on one screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ansible_collections.tandem.platform.plugins.plugin_utils import status_report as reports

DOCUMENTATION = r"""
name: status_report
short_description: The platform on one screen
description:
  - Returns what to show, and what is wrong, from the results of M(tandem.platform.platform_status) of several hosts.
options:
  _input:
    description: Per host its status.
    type: dict
    required: true
  platform:
    description: What M(tandem.platform.derive) returned.
    type: dict
    required: true
  away:
    description: Per host that does not answer, the reason.
    type: dict
    default: {}
  always_firing:
    description: Names of alerts that fire when all is well.
    type: list
    elements: str
    default: []
author:
  - The Tandem authors
"""

EXAMPLES = r"""
report: "{{ {'app1': look.status} | tandem.platform.status_report(platform) }}"
"""

RETURN = r"""
_value:
  description: Lists C(lines) and C(problems).
  type: dict
"""


def status_report(
    found: Mapping[str, Any],
    platform: Mapping[str, Any],
    away: Mapping[str, str] | None = None,
    always_firing: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report as plain data."""
    sites = {name: host["site"] for name, host in platform["hosts"].items()}
    known = reports.Platform(platform["name"], sites, always_firing)
    return asdict(reports.report(found, away or {}, known, datetime.now(UTC)))


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return filters by name."""
        return {"status_report": status_report}
