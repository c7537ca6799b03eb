# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Which units use changed certificates: a filter for role certificates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.certificates import units_to_reload

DOCUMENTATION = r"""
name: certificate_units_to_reload
short_description: Units that use changed certificates
description:
  - Returns what M(tandem.platform.units) needs to reload the running units that use a changed certificate. A
    changed authority concerns all of them.
positional: changed_paths
options:
  _input:
    description: Units by item, as in C(certificates_reload_units).
    type: dict
    required: true
  changed_paths:
    description: Paths that M(tandem.platform.files) changed.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Reload what uses the certificates
  tandem.platform.units:
    units: "{{ reload_units | tandem.platform.certificate_units_to_reload(placed.changed_paths) }}"
"""

RETURN = r"""
_value:
  description: Entries for C(units).
  type: list
  elements: dict
"""


class FilterModule:
    """The filter `certificate_units_to_reload`."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"certificate_units_to_reload": units_to_reload}
