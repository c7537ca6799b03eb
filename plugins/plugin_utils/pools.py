# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Connections to Postgres: what all pools together may open, and what is kept for others."""

from __future__ import annotations

from .catalog import Service
from .inventory import Inventory
from .problems import Report
from .services import Catalog
from .settings import Platform

SUPERUSER = 3  # superuser_reserved_connections, Postgres' own default
MIGRATIONS = 2  # per service with a database: its migration run and its init command
MONITORING = 5  # exporter, health checks, a person
# Replication is not counted: walsenders have a limit of their own (max_wal_senders).


def runtime_connections(service: Service, hosts: int) -> int:
    """Return the most connections that an entry's instances open on all its hosts together."""
    return instance_connections(service) * service.instances * hosts


def instance_connections(service: Service) -> int:
    """Return the most connections of one instance: its pool, and one for the lease of a timer."""
    return service.database.pool + service.takes_lease if service.database else 0


def connection_limit(service: str, catalog: Catalog, inventory: Inventory) -> int:
    """Return a database's connection limit: the pools of the service and its parts, and its migrations."""
    pools = [
        runtime_connections(process, len(inventory.in_group(process.hosts)))
        for process in catalog.processes(service).values()
    ]
    return sum(pools) + MIGRATIONS


def check_pools(catalog: Catalog, inventory: Inventory, platform: Platform, report: Report) -> None:
    """Refuse pools that could together open more connections than Postgres accepts."""
    pools: dict[str, tuple[int, str]] = {}
    for name, service in catalog.services.items():
        if service.database:
            hosts = len(inventory.in_group(service.hosts))
            figures = f"{instance_connections(service)} x {service.instances} x {hosts}"
            pools[name] = (runtime_connections(service, hosts), figures)
    databases = len({catalog.service_of(name) for name in pools})
    reserve = SUPERUSER + MONITORING + MIGRATIONS * databases
    total = sum(count for count, _ in pools.values()) + reserve
    limit = platform.postgres.max_connections
    if total <= limit:
        return
    parts = " + ".join(f"{name} {figures} = {count}" for name, (count, figures) in pools.items())
    report.refuse(
        "platform_postgres.max_connections",
        f"{limit} is less than {total}: pool x instances x hosts ({parts}) + superuser {SUPERUSER} "
        f"+ migrations {MIGRATIONS} x {databases} + monitoring {MONITORING}",
        f"raise it to {total} or more, or lower pools or instances",
    )
