# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Where Valkey runs, who may use it, and what its users are told.

One instance per site, each on its own: it holds copies only, so nothing is replicated and nothing is lost with it.
"""

from __future__ import annotations

from typing import Any

from .catalog import Service
from .inventory import Host, Inventory
from .service_names import valkey_secret
from .services import Catalog
from .views_postgres import CA_FILE, own_site_first

PORT = 6379
EXPORTER = "valkey/tandem_exporter"  # path of its password in the store


def valkey_view(catalog: Catalog, inventory: Inventory) -> dict[str, Any]:
    """Return the instances, one per site, and the services that use them."""
    return {
        "instances": [
            {"host": host.name, "address": host.address, "site": host.site, "port": PORT}
            for host in valkey_hosts(inventory)
        ],
        "users": [
            {"name": name, "secret": valkey_secret(name)}
            for name in catalog.services
            if catalog.service_of(name) == name
            and any(process.valkey for process in catalog.processes(name).values())
        ],
        # Of the exporter's user, in the store of secrets; empty where nobody scrapes.
        "exporter": EXPORTER if inventory.of("obs") else "",
    }


def valkey_hosts(inventory: Inventory) -> list[Host]:
    """Return the first data host of each site that has any."""
    return inventory.first_of_each_site("data")


def valkey_environment(service: str, entry: Service, host: Host, inventory: Inventory) -> dict[str, str]:
    """Return what an entry with ``valkey: true`` is told; ``service`` is its parent, or itself."""
    if not entry.valkey:
        return {}
    nearest = own_site_first(valkey_hosts(inventory), host.site)[0]
    return {
        "VALKEY_HOST": nearest.fqdn,
        "VALKEY_PORT": str(PORT),
        "VALKEY_USER": service,
        "VALKEY_CA": CA_FILE,
    }


def valkey_secrets(service: str, entry: Service) -> list[dict[str, Any]]:
    """Return the credential of an entry with ``valkey: true``, as ``secret_view`` describes it."""
    if not entry.valkey:
        return []
    return [{"name": "valkey_password", "path": valkey_secret(service), "kind": "random", "public": False}]
