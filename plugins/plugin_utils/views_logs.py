# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Where logs go, and what is read on which host. Nothing here knows which program reads them."""

from __future__ import annotations

from typing import Any

from .inventory import Host, Inventory
from .services import Catalog
from .views_service import local_services

LOKI_PORT = 3100
AGENT_PORT = 9080
"""Of the first agent of a host; that of the next Loki has the next port."""
NGINX_LOGS = ("/var/log/nginx/access.log", "/var/log/nginx/error.log")


def logs_view(catalog: Catalog, inventory: Inventory) -> dict[str, Any]:
    """Return the Lokis, one per site that has any, and by host what is read there.

    ``files``: by host, ``journals`` (services with a journal of their own) and ``paths`` (files and whose lines
    they have). The system's journal is read everywhere. Without a Loki nothing is read.
    """
    lokis = loki_hosts(inventory)
    return {
        "lokis": [
            {"site": host.site, "host": host.name, "url": f"https://{host.name}:{LOKI_PORT}"}
            for host in lokis
        ],
        "files": {
            host.name: _sources(host, catalog, inventory) for host in inventory.hosts.values() if lokis
        },
    }


def loki_hosts(inventory: Inventory) -> list[Host]:
    """Return the first observing host of each site that has any."""
    return inventory.first_of_each_site("obs")


def _sources(host: Host, catalog: Catalog, inventory: Inventory) -> dict[str, Any]:
    paths = [{"path": path, "service": "nginx"} for path in NGINX_LOGS] if host.has("edge") else []
    return {"journals": sorted(local_services(host, catalog, inventory)), "paths": paths}
