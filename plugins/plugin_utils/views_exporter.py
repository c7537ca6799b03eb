# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What the platform exporter of each host looks at."""

from __future__ import annotations

from typing import Any

from .inventory import Host, Inventory
from .services import Catalog
from .timeout_profiles import ClientTimeouts
from .views_edge import STATISTICS_PORT
from .views_postgres import MONITOR_PORT, dsn, own_site_first

METRICS_ROLE = "tandem_metrics"
OWN_WORDS = ("user", "sslmode", "sslrootcert")


def exporter_view(
    host: Host, catalog: Catalog, inventory: Inventory, client: ClientTimeouts
) -> dict[str, Any] | None:
    """Return the platform exporter's settings of a host; null when nobody scrapes."""
    scrapers = [observer.name for observer in inventory.of("obs")]
    if not scrapers:
        return None
    return {
        "address": host.address,
        "scrapers": scrapers,
        "door_port": STATISTICS_PORT if host.has("edge", "app") else 0,
        "monitor_port": MONITOR_PORT if inventory.of("witness")[:1] == [host] else 0,
        "postgres_node": host.has("data"),
        "rabbitmq_node": host.has("data", "witness"),
        "databases": _databases(host, catalog, inventory, client) if host.has("obs") else {},
    }


def _databases(host: Host, catalog: Catalog, inventory: Inventory, client: ClientTimeouts) -> dict[str, str]:
    """Return connection strings by service; user and TLS are the exporter's own."""
    nodes = own_site_first(inventory.of("data"), host.site)
    return {
        name: " ".join(
            word
            for word in dsn(nodes, client, service.database.name, METRICS_ROLE, "any", "").split()
            if word.partition("=")[0] not in (*OWN_WORDS, "application_name")
        )
        for name, service in catalog.services.items()
        if service.database and service.database.name and not service.part_of
    }
