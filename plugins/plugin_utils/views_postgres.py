# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What the Postgres role, and every service's connection string, needs to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .inventory import Host, Inventory
from .pools import connection_limit
from .project_files import absolute
from .service_names import owner_role, runtime_role
from .services import Catalog
from .settings import Platform
from .timeout_profiles import ClientTimeouts

MONITOR_PORT, NODE_PORT = 5431, 5432
CA_FILE = "/etc/tandem/tls/ca.pem"


def own_site_first(hosts: Iterable[Host], site: str) -> list[Host]:
    """Return hosts with those of one site first, else in their given order."""
    return sorted(hosts, key=lambda host: host.site != site)


def postgres_view(catalog: Catalog, inventory: Inventory, platform: Platform) -> dict[str, Any]:
    """Return monitor, nodes, databases and settings."""
    return {
        "monitor": _server(inventory.of("witness")[0], MONITOR_PORT),
        "nodes": [_server(host, NODE_PORT) for host in inventory.of("data")],
        # Whose exporters may see outboxes and leases.
        "observers": [{"host": host.name, "address": host.address} for host in inventory.of("obs")],
        "networks": {name: list(site.networks) for name, site in platform.sites.items()},
        "databases": [
            _database(name, catalog, inventory, platform.project_dir)
            for name, service in catalog.services.items()
            if service.database and not service.part_of
        ],
        "settings": platform.postgres.server_settings(),
        "version": platform.postgres.version,
        "failover_version": platform.postgres.failover_version,
    }


def _server(host: Host, port: int) -> dict[str, Any]:
    return {"host": host.name, "name": host.name, "address": host.address, "site": host.site, "port": port}


def _database(service: str, catalog: Catalog, inventory: Inventory, project_dir: str) -> dict[str, Any]:
    database = catalog.services[service].database
    if database is None or database.name is None:
        raise ValueError("a view of a database needs a completed entry")
    name = database.name
    groups = {process.hosts for process in catalog.processes(service).values() if process.database}
    clients = {host.name for group in groups for host in inventory.in_group(group)}
    return {
        "name": name,
        "owner": owner_role(name),
        "runtime": runtime_role(name),
        "init": [absolute(project_dir, path) for path in database.init],
        "clients": [f"{host.address}/32" for host in inventory.hosts.values() if host.name in clients],
        "connection_limit": connection_limit(service, catalog, inventory),
    }


def dsn(
    nodes: list[Host], client: ClientTimeouts, database: str, user: str, attributes: str, application: str
) -> str:
    """Return a libpq connection string without password: every node, in the order given.

    The network limits make libpq leave a dead node within seconds; a hung server keeps its connection alive,
    so a client needs a read timeout of its own besides.
    """
    words = {
        "host": ",".join(node.address for node in nodes),
        "port": ",".join(str(NODE_PORT) for _ in nodes),
        "dbname": database,
        "user": user,
        "sslmode": "verify-full",
        "sslrootcert": CA_FILE,
        "target_session_attrs": attributes,
        "connect_timeout": client.connect_timeout_s,
        "tcp_user_timeout": client.tcp_user_timeout_ms,
        "keepalives_idle": client.keepalives_idle_s,
        "keepalives_interval": client.keepalives_interval_s,
        "keepalives_count": client.keepalives_count,
        "application_name": application,
    }
    return " ".join(f"{key}={value}" for key, value in words.items())
