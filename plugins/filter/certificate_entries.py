# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a host gets of its certificates: a filter for role certificates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.certificates import host_entries

DOCUMENTATION = r"""
name: certificate_entries
short_description: Arguments for the files task that places a host's certificates
description:
  - Returns C(directories) and C(files) for M(tandem.platform.files) from the items of role certificates.
positional: directory, host, due, authority_due
options:
  _input:
    description: Items as in C(certificates_items).
    type: list
    elements: dict
    required: true
  directory:
    description: The environment's folder on the controller.
    type: str
    required: true
  host:
    description: Name of the host.
    type: str
    required: true
  due:
    description: Names of items that are not issued yet, which check mode predicts.
    type: list
    elements: str
    required: true
  authority_due:
    description: Whether the authority's certificate is not issued yet.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Place the certificates
  tandem.platform.files:
    files: "{{ (items | tandem.platform.certificate_entries(folder, inventory_hostname, [], false)).files }}"
"""

RETURN = r"""
_value:
  description: Lists C(directories) and C(files).
  type: dict
"""


class FilterModule:
    """The filter `certificate_entries`."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"certificate_entries": host_entries}
