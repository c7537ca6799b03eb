# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Instances of services as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: service_table
short_description: Instances of services as a table for people
description:
  - Returns the lines of a table, from the results of M(tandem.platform.service_status) of several hosts.
options:
  _input:
    description: Per host its list of instances.
    type: dict
    required: true
author:
  - The Tandem authors
"""

EXAMPLES = r"""
table: "{{ {'app1': status.instances} | tandem.platform.service_table }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""

COLUMNS = ("host", "instance", "state", "revision", "release", "since", "memory", "note")


def service_table(instances: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return a heading and one line per instance, in columns."""
    rows = [tuple(column.upper() for column in COLUMNS)]
    for host, listed in instances.items():
        for row in listed:
            kind = ".timer" if row["instance"] is None else f"@{row['instance']}"
            cells = {**row, "host": host, "instance": f"{row['service']}{kind}"}
            rows.append(tuple(str(cells[column]) for column in COLUMNS))
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return filters by name."""
        return {"service_table": service_table}
