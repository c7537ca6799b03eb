# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the catalog's entries and the hosts: ports, routes, groups, variables."""

from __future__ import annotations

import itertools

from .catalog import HIGHEST_PORT, Service
from .inventory import Inventory
from .problems import Report, did_you_mean, listing, shown
from .service_links import check_links
from .service_names import is_derived
from .service_paths import claimed, is_below, owner
from .services import Catalog

# Ports on which the platform's own components listen on loopback or on every address of a host.
PLATFORM_PORTS = {
    3000: "Grafana",
    3100: "Loki",
    3900: "Garage",
    3901: "Garage",
    3903: "Garage",
    4369: "RabbitMQ",
    5431: "the Postgres monitor",
    5432: "Postgres",
    5671: "RabbitMQ",
    5672: "RabbitMQ",
    6379: "Valkey",
    6432: "a Postgres pooler",
    7443: "the hosts' doors",
    8080: "the edges' routers",
    8404: "HAProxy's statistics",
    8405: "HAProxy's statistics and metrics",
    9080: "Promtail",
    9090: "Prometheus",
    9093: "Alertmanager",
    9094: "Alertmanager",
    9100: "host metrics",
    9113: "NGINX's metrics",
    9115: "the probes",
    9121: "Valkey's metrics",
    9170: "the platform's metrics",
    9187: "Postgres's metrics",
    15671: "RabbitMQ",
    15672: "RabbitMQ",
    15691: "RabbitMQ",
    15692: "RabbitMQ",
    25672: "RabbitMQ",
    **dict.fromkeys(range(35672, 35683), "RabbitMQ's commands"),
}


def check_services(catalog: Catalog, inventory: Inventory, report: Report) -> None:
    """Check everything that concerns entries and hosts."""
    check_ports(catalog, report)
    check_routes(catalog, report)
    check_cache(catalog, report)
    check_placement(catalog, inventory, report)
    check_ingress(catalog, inventory, report)
    check_links(catalog, report)
    check_environment(catalog, report)


def check_ports(catalog: Catalog, report: Report) -> None:
    """Refuse ports of the platform, ports beyond the highest, and ranges that overlap."""
    listening = [(name, service) for name, service in catalog.services.items() if service.ports]
    for name, service in listening:
        where = catalog.where(name, "port")
        taken = [port for port in service.ports if port in PLATFORM_PORTS]
        if taken:
            report.refuse(
                where,
                f"{_ports(service)} contains {taken[0]}, the port of {PLATFORM_PORTS[taken[0]]}",
                "choose another port, as in 5000 to 5099",
            )
        if service.ports[-1] > HIGHEST_PORT:
            report.refuse(
                where,
                f"{_ports(service)} ends above {HIGHEST_PORT}",
                "choose a lower port or fewer instances",
            )
    for (first, one), (second, other) in itertools.combinations(listening, 2):
        if one.ports.start < other.ports.stop and other.ports.start < one.ports.stop:
            report.refuse(
                catalog.where(second, "port"),
                f"{_ports(other)} overlaps {_ports(one)} of service {first}",
                f"choose ports from {max(one.ports.stop, other.ports.stop)} on; "
                "instance i listens on port + i - 1",
            )


def _ports(service: Service) -> str:
    first, last = service.ports[0], service.ports[-1]
    return str(first) if first == last else f"{first}..{last}"


def check_routes(catalog: Catalog, report: Report) -> None:
    """Refuse a path that is claimed twice at one ingress; ``/cart`` and ``/cart/`` claim the same paths."""
    owners: dict[tuple[str | None, str], tuple[str, str]] = {}
    for name, service in catalog.services.items():
        for number, route in enumerate(service.routes):
            claim = (service.ingress, claimed(route))
            if claim not in owners:
                owners[claim] = (name, route)
                continue
            other, same = owners[claim]
            who = f"service {other}" if other != name else "this service"
            report.refuse(
                catalog.where(name, "routes", number),
                f"{shown(route)} is claimed by {who} already, as {shown(same)}",
                "keep one of the two, or choose a longer path: the longest match wins",
            )


def check_cache(catalog: Catalog, report: Report) -> None:
    """Refuse cached paths that are named twice, or by which requests do not reach the service through NGINX."""
    for name, service in catalog.services.items():
        if service.cache and service.ingress == "haproxy":
            report.refuse(
                catalog.where(name, "cache"),
                "needs NGINX, which keeps the answers",
                "write ingress: nginx, or remove cache",
            )
            continue
        seen: dict[str, str] = {}
        for number, path in enumerate(service.cache):
            where = catalog.where(name, "cache", number)
            same = seen.get(claimed(path))
            seen[claimed(path)] = path
            if same is not None:
                report.refuse(
                    where, f"{shown(path)} is named already, as {shown(same)}", "keep one of the two"
                )
            else:
                _check_owner(name, path, where, catalog, report)


def _check_owner(name: str, path: str, where: str, catalog: Catalog, report: Report) -> None:
    routes = catalog.services[name].routes
    if not any(is_below(path, route) for route in routes):
        report.refuse(
            where,
            f"{shown(path)} is below none of the service's routes ({listing(routes)})",
            "write a path below one of them",
        )
    elif (other := owner(path, catalog)) != name:
        report.refuse(
            where,
            f"{shown(path)} is served by {other}",
            f"name it in cache of {other}, or choose another path",
        )


def check_placement(catalog: Catalog, inventory: Inventory, report: Report) -> None:
    """Refuse groups that do not exist, are empty, or have hosts without a door."""
    for name, service in catalog.entries.items():
        where, group = catalog.where(name, "hosts"), service.hosts
        if not group:
            continue
        known = [key for key in inventory.groups if inventory.names_of(key)]
        if group not in inventory.groups:
            cure = did_you_mean(group, known, f"write an inventory group: {listing(known)}")
            report.refuse(where, f"{shown(group)} is not an inventory group", cure)
            continue
        members = inventory.names_of(group)
        if not members:
            report.refuse(
                where,
                f"group {group} has no host of the platform",
                f"add hosts to it, or write {listing(known)}",
            )
        without_door = sorted(set(members) - set(inventory.names_of("app")))
        if without_door:
            report.refuse(
                where,
                f"hosts {listing(without_door)} of group {group} are not in group app",
                f"make {group} a child of group app: services run behind an app host's door",
            )
        sites = {host.site for host in inventory.in_group(group)}
        taken = catalog.service_of(name) != name and where == catalog.where(catalog.service_of(name), "hosts")
        if len(sites) == 1 and not taken:
            report.warn(
                f"{where}: every host of group {group} is in site {sites.pop()}; its loss stops {name}"
            )


def check_ingress(catalog: Catalog, inventory: Inventory, report: Report) -> None:
    """Refuse HAProxy as an ingress where an edge has no address for it."""
    users = [name for name, service in catalog.services.items() if service.ingress == "haproxy"]
    if not users:
        return
    missing = [host.name for host in inventory.of("edge") if host.ingress_address is None]
    if missing:
        report.refuse(
            catalog.where(users[0], "ingress"),
            f"haproxy needs an address of its own on every edge host; {listing(missing)} has none",
            "set platform_ingress_haproxy_address for these hosts, or write ingress: nginx",
        )


def check_environment(catalog: Catalog, report: Report) -> None:
    """Refuse variables that the platform sets itself."""
    for name, service in catalog.entries.items():
        for variable in sorted(service.environment):
            if is_derived(variable, service):
                report.refuse(
                    catalog.where(name, "environment", variable),
                    "is set by the platform",
                    "rename it, or remove it: the platform's value is the right one",
                )
