# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What one host needs to run its services: the service role's list."""

from __future__ import annotations

from typing import Any

from .autoscaling import autoscale_view
from .catalog import PYTHON, Secret, Service, source_kind
from .inventory import Host, Inventory
from .project_files import absolute
from .service_links import called_urls, start_order
from .service_names import owner_role, runtime_role
from .services import Catalog
from .settings import Platform
from .timeout_profiles import ClientTimeouts, Profile
from .views_postgres import dsn, own_site_first
from .views_rabbitmq import broker_environment, broker_secrets
from .views_valkey import valkey_environment, valkey_secrets

LOOPBACK = "127.0.0.1"


def metrics_socket(service: str, number: str) -> str:
    """Return where an instance without a port shows its metrics, below /run/tandem-metrics."""
    return f"{service}/{number}.sock"


def local_services(host: Host, catalog: Catalog, inventory: Inventory) -> list[str]:
    """Return the services that run on a host, in start order."""
    return [
        name
        for name in start_order(catalog)
        if host.name in inventory.groups.get(catalog.services[name].hosts, ())
    ]


def service_views(
    host: Host, catalog: Catalog, inventory: Inventory, platform: Platform, profile: Profile
) -> list[dict[str, Any]]:
    """Return the views of a host's services, in start order."""
    local = local_services(host, catalog, inventory)
    return [_view(name, host, local, catalog, inventory, platform, profile) for name in local]


def _view(
    name: str,
    host: Host,
    local: list[str],
    catalog: Catalog,
    inventory: Inventory,
    platform: Platform,
    profile: Profile,
) -> dict[str, Any]:
    service, owner = catalog.services[name], catalog.service_of(name)
    nodes = own_site_first(inventory.of("data"), host.site)
    database = _database(name, service, platform, nodes, profile.client)
    generation = platform.rabbitmq.password_generation
    environment = {
        "SERVICE_NAME": name,
        "HOST_NAME": host.name,
        "SITE": host.site,
        "PLATFORM": platform.name,
        **_database_environment(service, database),
        **broker_environment(owner, service, host, inventory, generation, profile.rabbitmq),
        **valkey_environment(owner, service, host, inventory),
        **called_urls(service, catalog),
        **service.environment,
    }
    return {
        "name": name,
        "user": f"svc-{name}",
        "unit": name,
        "bind": LOOPBACK,
        "port": service.port,
        "instances": service.instances,
        "autoscale": autoscale_view(service.autoscale, service.command),
        "wsgi": service.wsgi,
        "command": service.command,
        # A part runs the release of its parent, of which a host has one installation.
        "release_of": service.part_of,
        "schedule": _schedule(service),
        "threads": service.threads,
        "restart": service.restart,
        "manager": service.manager,
        "limits": service.limits.model_dump(),
        "logging": service.logging.model_dump(),
        "environment": environment,
        "env_files": [absolute(platform.project_dir, path) for path in service.env_file],
        "secrets": [
            *(secret_view(owner, secret) for secret in service.secrets),
            *broker_secrets(owner, service, generation),
            *valkey_secrets(owner, service),
        ],
        "volumes": service.volumes,
        "health": service.health,
        # Only what runs on this host: a unit can't wait for another host's.
        "depends_on": [needed for needed in service.depends_on if needed in local],
        "database": database,
    }


def secret_view(service: str, secret: Secret) -> dict[str, Any]:
    """Return where the controller keeps a secret, and what it is; a part's are those of its parent."""
    if secret.public_of is not None:
        return {
            "name": secret.name,
            "path": f"services/{secret.public_of}",
            "kind": "ec-p256",
            "public": True,
        }
    return {
        "name": secret.name,
        "path": f"services/{service}/{secret.name}",
        "kind": secret.kind or "random",
        "public": False,
    }


def _schedule(service: Service) -> dict[str, Any] | None:
    """Return when a timer runs: systemd's calendar, where, what happens to missed runs, and how long at most."""
    if service.schedule is None:
        return None
    return {
        "calendar": service.schedule,
        "run_on": service.run_on,
        "missed": service.missed,
        "timeout_s": service.timeout,
    }


def _database(
    service_name: str, service: Service, platform: Platform, nodes: list[Host], client: ClientTimeouts
) -> dict[str, Any] | None:
    database = service.database
    if database is None or database.name is None:
        return None
    owner, runtime = owner_role(database.name), runtime_role(database.name)
    return {
        "name": database.name,
        "owner": owner,
        "runtime": runtime,
        "pool": database.pool,
        "migrate": database.migrate,
        "init_command": database.init_command,
        "init": [absolute(platform.project_dir, path) for path in database.init],
        "dsn": dsn(nodes, client, database.name, runtime, "read-write", service_name),
        "read_dsn": dsn(nodes, client, database.name, runtime, "any", service_name),
        "owner_dsn": dsn(nodes, client, database.name, owner, "read-write", f"{service_name}-migrate"),
    }


def _database_environment(service: Service, database: dict[str, Any] | None) -> dict[str, str]:
    if database is None:
        return {}
    return {
        "DATABASE_DSN": database["dsn"],
        "DATABASE_READ_DSN": database["read_dsn"],
        "DATABASE_POOL": str(database["pool"]),
    }


def apps_view(catalog: Catalog, platform: Platform) -> list[dict[str, str]]:
    """Return what the controller builds, one release per service and none for its parts."""
    apps = []
    for name, service in catalog.services.items():
        if service.part_of:
            continue
        kind = source_kind(service.app)
        source = service.app if kind == "requirement" else absolute(platform.project_dir, service.app)
        apps.append({"service": name, "source_kind": kind, "source": source, "python": PYTHON})
    return apps
