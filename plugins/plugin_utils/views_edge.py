# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What HAProxy and NGINX need: the edges' routers, the hosts' doors, the listeners for calls."""

from __future__ import annotations

from typing import Any

from .gateway import Gateway
from .inventory import Host, Inventory
from .service_paths import is_below
from .services import Catalog
from .settings import Platform
from .views_gateway import gateway_view
from .views_postgres import own_site_first
from .views_service import local_services, metrics_socket

DOOR_PORT = 7443
ROUTER_ADDRESS, ROUTER_PORT = "127.0.0.1", 8080
METRICS_PORT = STATISTICS_PORT = 8405  # of the host's address, and of loopback
LISTENER_ADDRESS = "127.0.0.2"  # apart from the instances' own 127.0.0.1, which may have the same port


def haproxy_view(host: Host, catalog: Catalog, inventory: Inventory, gateway: Gateway) -> dict[str, Any]:
    """Return a host's router (edges), door and listeners (app hosts); null or empty where it has none."""
    return {
        "router": _router(host, catalog, inventory, gateway) if host.has("edge") else None,
        "door": _door(host, catalog, inventory) if host.has("app") else None,
        "listeners": _listeners(host, catalog, inventory) if host.has("app") else [],
        "metrics": metrics_view(host, catalog, inventory) if host.has("edge", "app") else None,
    }


def metrics_view(host: Host, catalog: Catalog, inventory: Inventory) -> dict[str, Any] | None:
    """Return where scrapers read metrics of HAProxy and of a host's instances; null when nobody scrapes."""
    scrapers = [observer.name for observer in inventory.of("obs")]
    if not scrapers:
        return None
    local = local_services(host, catalog, inventory) if host.has("app") else []
    return {
        "address": host.address,
        "port": METRICS_PORT,
        "scrapers": scrapers,
        "instances": [
            {
                "name": f"{name}-{number}",
                "path": f"/service/{name}/{number}",
                "instance_port": service.port + number - 1 if service.port is not None else None,
                "socket": metrics_socket(name, str(number)) if service.port is None else None,
            }
            for name in local
            if (service := catalog.services[name]).schedule is None
            for number in range(1, service.instances + 1)
        ],
    }


def _servers(host: Host, service: str, catalog: Catalog, inventory: Inventory) -> list[dict[str, Any]]:
    """Return the doors behind which a service runs, the asking host's site first."""
    doors = own_site_first(inventory.in_group(catalog.services[service].hosts), host.site)
    return [
        {"name": door.name, "address": door.address, "port": DOOR_PORT, "local": door.site == host.site}
        for door in doors
    ]


def _router(host: Host, catalog: Catalog, inventory: Inventory, gateway: Gateway) -> dict[str, Any]:
    return {
        "address": ROUTER_ADDRESS,
        "port": ROUTER_PORT,
        "ingress_address": host.ingress_address,
        "services": [
            {
                "name": name,
                "routes": service.routes,
                "ingress": service.ingress,
                "servers": _servers(host, name, catalog, inventory),
                "health": service.health,
            }
            for name, service in catalog.services.items()
            if service.routes
        ],
        "gateway": gateway_view(gateway),
    }


def _door(host: Host, catalog: Catalog, inventory: Inventory) -> dict[str, Any]:
    local = [
        name for name in local_services(host, catalog, inventory) if catalog.services[name].port is not None
    ]
    return {
        "address": host.address,
        "port": DOOR_PORT,
        "edges": [edge.name for edge in inventory.of("edge")],
        "services": [
            {
                "name": name,
                "port": catalog.services[name].port,
                "instances": catalog.services[name].instances,
                "always": catalog.services[name].always,
                "threads": catalog.services[name].threads,
                "health": catalog.services[name].health,
                "callers": callers(name, catalog, inventory),
            }
            for name in local
        ],
    }


def callers(service: str, catalog: Catalog, inventory: Inventory) -> list[str]:
    """Return the hosts that may ask a service: edges when it has a route, hosts of services that call it."""
    allowed = {host.name for host in inventory.of("edge")} if catalog.services[service].routes else set()
    for other in catalog.services.values():
        if service in other.calls:
            allowed |= {host.name for host in inventory.in_group(other.hosts)}
    return [name for name in inventory.hosts if name in allowed]


def _listeners(host: Host, catalog: Catalog, inventory: Inventory) -> list[dict[str, Any]]:
    local = local_services(host, catalog, inventory)
    called = {name for caller in local for name in catalog.services[caller].calls}
    return [
        {
            "service": name,
            "address": LISTENER_ADDRESS,
            "port": service.port,
            "servers": _servers(host, name, catalog, inventory),
        }
        for name, service in catalog.services.items()
        if name in called
    ]


def nginx_view(host: Host, platform: Platform, catalog: Catalog) -> dict[str, Any] | None:
    """Return what an edge's NGINX serves; null on other hosts."""
    if not host.has("edge"):
        return None
    return {
        "address": host.address,
        "address6": host.address6,
        "public_names": list(platform.public_names),
        "http_port": 80,
        "https_port": 443,
        "upstream": f"{ROUTER_ADDRESS}:{ROUTER_PORT}",
        "certificate": "edge",
        "locations": locations(catalog),
    }


def locations(catalog: Catalog) -> list[dict[str, str | None]]:
    """Return NGINX's locations: ``match`` as NGINX writes it, ``cached`` the service whose answers may be kept.

    Besides the cached paths there is one for every route of another service below them, and one for all else.
    """
    cached = {path: name for name, service in catalog.services.items() for path in service.cache}
    kept_out = [
        route
        for name, service in catalog.services.items()
        if service.ingress == "nginx"
        for route in service.routes
        if route not in cached
        and any(is_below(route, path) and owner != name for path, owner in cached.items())
    ]
    owners: dict[str, str | None] = {**cached, **dict.fromkeys(kept_out)}
    owners.setdefault("/", None)
    return [{"match": match, "cached": owners[path]} for path in sorted(owners) for match in _matches(path)]


def _matches(path: str) -> list[str]:
    """Return a path as NGINX's locations: ``/cart`` is that path and all below it, but not ``/cartoons``."""
    return [path] if path.endswith("/") else [f"= {path}", f"{path}/"]


def smoke_paths(catalog: Catalog) -> list[str]:
    """Return a path of every service behind NGINX, to be asked through every edge after a run."""
    return [
        route
        for service in catalog.services.values()
        if service.ingress == "nginx"
        for route in service.routes
    ]
