# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Who is scraped by whom: every component's targets, every instance of every service, probes of every edge.

Nothing is listed twice: targets follow from the hosts' classes and from the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .inventory import Host, Inventory
from .project_files import absolute
from .services import Catalog
from .settings import Platform
from .views_logs import AGENT_PORT, LOKI_PORT, loki_hosts
from .views_rabbitmq import broker_hosts
from .views_service import local_services
from .views_valkey import valkey_hosts

# The components' ports; roles are handed theirs, and tell them as their outputs.
PORTS = {
    "node": 9100,
    "postgres": 9187,
    "nginx": 9113,
    "valkey": 9121,
    "blackbox": 9115,
    "haproxy": 8405,
    "rabbitmq": 15692,
    "platform": 9170,
    "prometheus": 9090,
    "alertmanager": 9093,
    "alertmanager_cluster": 9094,
    "loki": LOKI_PORT,
    "promtail": AGENT_PORT,  # and the next ones: one agent for each Loki
}
# RabbitMQ tells what each queue has only when it is asked for it.
QUEUE_FAMILIES = ["queue_coarse_metrics", "queue_consumer_count"]
# HAProxy tells ten times as much when it is not asked for these alone; it knows whole names only.
HAPROXY_METRICS = [
    *(
        f"haproxy_process_{name}"
        for name in (
            *("current_connections", "max_connections", "connections_total", "current_ssl_rate"),
            *("requests_total", "idle_time_percent", "start_time_seconds"),
        )
    ),
    *(
        f"haproxy_frontend_{name}"
        for name in (
            *("current_sessions", "http_requests_total", "http_responses_total", "request_errors_total"),
            *("requests_denied_total", "bytes_in_total", "bytes_out_total"),
        )
    ),
    *(
        f"haproxy_backend_{name}"
        for name in (
            *("active_servers", "backup_servers", "current_queue", "current_sessions", "http_requests_total"),
            *("http_responses_total", "connection_errors_total", "response_errors_total"),
            *("redispatch_warnings_total", "retry_warnings_total"),
            *("queue_time_average_seconds", "response_time_average_seconds"),
        )
    ),
    *(
        f"haproxy_server_{name}"
        for name in ("status", "current_queue", "current_sessions", "http_responses_total")
    ),
]
JOBS = frozenset(
    {*PORTS, "rabbitmq-queues", "service"} - {"alertmanager_cluster"},
)
EXPORTERS = ("node", "postgres", "nginx", "valkey", "blackbox")
# Valkey's exporter takes any certificate of the platform, so callers need a password, too: its name in the store.
VALKEY_CALLER = "metrics/valkey_exporter"
EDGE_PAGE = "/.well-known/tandem/edge"


def metrics_view(catalog: Catalog, inventory: Inventory, platform: Platform) -> dict[str, Any]:
    """Return scrapers, exporters by host, targets, alertmanagers and probes, all empty where nobody scrapes.

    ``credentials``: by scrape configuration, of those that want more than a certificate; ``ports``: of components.
    """
    scrapers = inventory.of("obs")
    hosts = list(inventory.hosts.values()) if scrapers else []
    return {
        "scrapers": [host.name for host in scrapers],
        "exporters": {host.name: exporters_of(host, inventory) for host in hosts},
        "targets": [
            target
            for host in hosts
            for target in (*_components(host, inventory), *_instances(host, catalog, inventory))
        ],
        "alertmanagers": [f"{host.name}:{PORTS['alertmanager']}" for host in scrapers],
        "probes": [probe for host in hosts if host.has("edge") for probe in _probes(host, catalog, platform)],
        "credentials": {"valkey": {"username": "prometheus", "secret": VALKEY_CALLER}},
        "ports": dict(PORTS),
    }


def prometheus_view(platform: Platform) -> dict[str, Any]:
    """Return what the inventory says about Prometheus, with the controller's paths of its rules."""
    view = platform.prometheus.model_dump(exclude={"probes"})
    view["rule_files"] = [absolute(platform.project_dir, path) for path in platform.prometheus.rule_files]
    return view


def exporters_of(host: Host, inventory: Inventory) -> list[str]:
    """Return the exporters of Debian's that run on a host, in the order of `EXPORTERS`."""
    wanted = {
        "node": True,
        "postgres": host.has("data"),
        "nginx": host.has("edge"),
        "valkey": host in valkey_hosts(inventory),
        "blackbox": host.has("obs"),
    }
    return [name for name in EXPORTERS if wanted[name]]


def _components(host: Host, inventory: Inventory) -> Iterator[dict[str, Any]]:
    """What runs on a host for the platform itself."""
    # The blackbox exporter listens on loopback: each Prometheus has its own.
    for name in exporters_of(host, inventory):
        if name != "blackbox":
            yield _target(host, name, PORTS[name])
    yield _target(host, "platform", PORTS["platform"])
    if host.has("edge", "app"):
        yield _target(host, "haproxy", PORTS["haproxy"]) | {
            "params": {"metrics": [",".join(HAPROXY_METRICS)]}
        }
    if host in broker_hosts(inventory):
        yield _target(host, "rabbitmq", PORTS["rabbitmq"])
        yield _queues(host)
    if host.has("obs"):
        yield _target(host, "prometheus", PORTS["prometheus"])
        yield _target(host, "alertmanager", PORTS["alertmanager"])
    lokis = loki_hosts(inventory)
    if host in lokis:
        yield _target(host, "loki", PORTS["loki"])
    for number, _ in enumerate(lokis):
        yield _target(host, "promtail", PORTS["promtail"] + number)


def _target(
    host: Host,
    job: str,
    port: int,
    path: str = "/metrics",
    **labels: str,
) -> dict[str, Any]:
    """Return one target. ``scrape`` names the scrape configuration, which may differ from the label ``job``."""
    address = f"{host.name}:{port}"
    return {
        "job": job,
        "scrape": job,
        "host": host.name,
        "site": host.site,
        "address": address,
        "path": path,
        "scheme": "https",
        "params": {},
        "labels": {"instance": address, **labels},
    }


def _queues(host: Host) -> dict[str, Any]:
    port, path = PORTS["rabbitmq"], "/metrics/detailed"
    target = _target(host, "rabbitmq", port, path, instance=f"{host.name}:{port}{path}")
    return target | {"scrape": "rabbitmq-queues", "params": {"family": QUEUE_FAMILIES}}


def _instances(host: Host, catalog: Catalog, inventory: Inventory) -> Iterator[dict[str, Any]]:
    """The host's instances of services, behind its HAProxy; a timer has none."""
    for name in local_services(host, catalog, inventory):
        service = catalog.services[name]
        if service.schedule is not None:
            continue
        for number in range(1, service.instances + 1):
            labels = {
                "instance": f"{host.name}/{name}@{number}",
                "service": name,
                "replica": str(number),
                "part_of": catalog.service_of(name),
            }
            if number > service.always:
                labels["on_demand"] = "true"
            yield _target(host, "service", PORTS["haproxy"], f"/service/{name}/{number}", **labels)


def _probes(host: Host, catalog: Catalog, platform: Platform) -> Iterator[dict[str, Any]]:
    """Pages asked for through one edge, as a user would: its address, the public name."""
    name = platform.public_names[0]
    for path in probe_paths(catalog, platform):
        yield {
            "job": "blackbox",
            "probe": "edge",
            "host": host.name,
            "site": host.site,
            "url": f"https://{host.address}{path}",
            "name": name,
            "labels": {"instance": f"{host.name}{path}", "probe": "edge"},
        }


def probe_paths(catalog: Catalog, platform: Platform) -> list[str]:
    """Return the pages that probes ask for.

    What is not said is derived: the catalog's public pages, which are the cheap ones, or the edges' own page
    where there is none.
    """
    if platform.prometheus.probes is not None:
        return list(platform.prometheus.probes)
    routes = {route for service in catalog.services.values() for route in service.routes}
    public = [path for service in catalog.services.values() for path in service.cache if path in routes]
    return public or [EDGE_PAGE]
