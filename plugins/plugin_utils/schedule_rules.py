# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold for timers: a schedule that systemd takes, and a place for the lease of a single run."""

from __future__ import annotations

from .catalog import Service
from .inventory import Inventory
from .problems import Report, shown
from .schedules import Calendar
from .services import Catalog


def check_schedules(catalog: Catalog, inventory: Inventory, calendar: Calendar, report: Report) -> None:
    """Refuse schedules that systemd can't read, and one run for several hosts without a database."""
    for name, entry in catalog.entries.items():
        if entry.schedule is None:
            continue
        problem = calendar(entry.schedule)
        if problem is not None:
            report.refuse(
                catalog.where(name, "schedule"),
                f"{shown(entry.schedule)} is no schedule of systemd: {problem}",
                'write a calendar expression, as in daily or "Mon..Fri *-*-* 09:00:00"',
            )
        if name in catalog.services:
            _check_lease(name, entry, catalog, inventory, report)


def _check_lease(name: str, entry: Service, catalog: Catalog, inventory: Inventory, report: Report) -> None:
    hosts = len(inventory.in_group(entry.hosts))
    if entry.run_on == "one_host" and entry.database is None and hosts > 1:
        report.refuse(
            catalog.where(name, "schedule"),
            f"is for one of {hosts} hosts and needs a database, in which they agree whose turn it is",
            f"add database{f' to {entry.part_of}' if entry.part_of else ''}, or write run_on: every_host",
        )
