# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What RabbitMQ has for the catalog's events, and what their publishers and consumers are told.

An event is a fanout exchange; a consumer's queue is bound to it. A message that fails goes to ``retry:DELAY``, whose
queue sends it back to the consumer's queue when the delay is over, and after the last retry to ``QUEUE:dead``.
Nothing leads out of a queue ``:dead`` but people, so dead letters can't go round in circles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .catalog import Service
from .events import Consumption
from .inventory import Host, Inventory
from .service_names import broker_secret, broker_user, queue_name
from .services import Catalog
from .settings import Platform
from .timeout_profiles import Profile, RabbitmqTimeouts
from .views_postgres import CA_FILE, own_site_first

PORT = 5671
VHOST = "tandem"
DEAD = "dead"
RETRY_DELAYS_MS = {"1s": 1000, "5s": 5000, "30s": 30_000, "2m": 120_000, "10m": 600_000}
RETRIES = {f"retry:{delay}": milliseconds for delay, milliseconds in RETRY_DELAYS_MS.items()}
# Deliveries that end without an answer, as when a consumer crashes; after the last one the message is a dead letter.
DELIVERY_LIMIT = 20
# A dead letter that people look at is delivered, too; over a limit it would be dropped.
NO_DELIVERY_LIMIT = 1_000_000_000
# With at-least-once and reject-publish, no dead letter is lost when its queue can't take it.
SAFE = {"dead-letter-strategy": "at-least-once", "overflow": "reject-publish"}


def rabbitmq_view(
    catalog: Catalog, inventory: Inventory, platform: Platform, profile: Profile
) -> dict[str, Any]:
    """Return the nodes, and every object that the catalog's events need."""
    events = {event: None for service in catalog.services.values() for event in service.publishes}
    queues = list(_queues(catalog, inventory))
    retries = RETRIES if queues else {}
    return {
        "nodes": [
            {"host": host.name, "name": f"rabbit@{host.fqdn}", "address": host.address, "site": host.site}
            for host in broker_hosts(inventory)
        ],
        "vhost": VHOST,
        "exchanges": [
            *({"name": event, "type": "fanout"} for event in events),
            *({"name": name, "type": "fanout"} for name in retries),
            *([{"name": DEAD, "type": "direct"}] if queues else []),
        ],
        "queues": [
            *(item for _, _, name, consumption in queues for item in _queue_pair(name, consumption)),
            *({"name": name, "policy": _retry_policy(delay)} for name, delay in retries.items()),
        ],
        "bindings": [
            *(
                binding
                for _, event, name, _ in queues
                for binding in (_binding(event, name), _binding(DEAD, f"{name}:{DEAD}", name))
            ),
            *(_binding(name, name) for name in retries),
        ],
        "users": _users(catalog, queues, platform.rabbitmq.password_generation),
        "timeouts": profile.rabbitmq.model_dump(),
    }


def broker_hosts(inventory: Inventory) -> list[Host]:
    """Return the hosts of the broker: one in each datacenter with data, and the witness, so that a majority stays."""
    return inventory.of("data", "witness")


def _queues(catalog: Catalog, inventory: Inventory) -> Iterator[tuple[str, str, str, Consumption]]:
    """Return service, event, name and settings of every consumer's queue."""
    for name, entry in catalog.services.items():
        service = catalog.service_of(name)
        sites = dict.fromkeys(host.site for host in inventory.in_group(entry.hosts))
        for event, consumption in entry.consumes.items():
            for site in sites if consumption.per == "site" else (None,):
                yield service, event, queue_name(service, event, site), consumption


def _queue_pair(name: str, consumption: Consumption) -> list[dict[str, Any]]:
    """Return a consumer's queue and the one of its dead letters."""
    return [
        {
            "name": name,
            "policy": {
                "dead-letter-exchange": DEAD,
                "dead-letter-routing-key": name,
                **SAFE,
                "delivery-limit": DELIVERY_LIMIT,
                "max-length": consumption.max_length,
            },
        },
        {
            "name": f"{name}:{DEAD}",
            "policy": {
                "overflow": SAFE["overflow"],
                "delivery-limit": NO_DELIVERY_LIMIT,
                "max-length": consumption.max_length,
            },
        },
    ]


def _retry_policy(milliseconds: int) -> dict[str, Any]:
    """Return the policy of a delay; the default exchange leads back, by the routing key that the consumer gave."""
    return {"message-ttl": milliseconds, "dead-letter-exchange": "", **SAFE}


def _binding(exchange: str, queue: str, routing_key: str = "") -> dict[str, str]:
    return {"exchange": exchange, "queue": queue, "routing_key": routing_key}


def _users(
    catalog: Catalog, queues: list[tuple[str, str, str, Consumption]], generation: int
) -> list[dict[str, str]]:
    """Return one user per service with events; its parts use the same."""
    users = []
    for service in catalog.services:
        events = {
            event: None for process in catalog.processes(service).values() for event in process.publishes
        }
        own = [name for owner, _, name, _ in queues if owner == service]
        if catalog.service_of(service) != service or not (events or own):
            continue
        users.append(
            {
                "name": broker_user(service, generation),
                "secret": broker_secret(service, generation),
                "configure": "^$",
                "write": _only([*events, *([DEAD, *RETRIES] if own else [])]),
                "read": _only(name for queue in own for name in (queue, f"{queue}:{DEAD}")),
            }
        )
    return users


def _only(names: Iterable[str]) -> str:
    """Return a regular expression of RabbitMQ's permissions that exactly these names match."""
    escaped = [re.escape(name) for name in names]
    return f"^({'|'.join(escaped)})$" if escaped else "^$"


def broker_environment(
    service: str,
    entry: Service,
    host: Host,
    inventory: Inventory,
    generation: int,
    timeouts: RabbitmqTimeouts,
) -> dict[str, str]:
    """Return what an entry with events is told of the broker; ``service`` is its parent, or itself."""
    if not entry.has_events:
        return {}
    nodes = own_site_first(broker_hosts(inventory), host.site)
    consumes = {
        event: {
            "queue": queue_name(service, event, host.site if consumption.per == "site" else None),
            "retries": consumption.retries,
        }
        for event, consumption in entry.consumes.items()
    }
    return {
        "BROKER_HOSTS": ",".join(f"{node.fqdn}:{PORT}" for node in nodes),
        "BROKER_USER": broker_user(service, generation),
        "BROKER_VHOST": VHOST,
        "BROKER_CA": CA_FILE,
        "BROKER_HEARTBEAT_S": str(timeouts.heartbeat_s),
        "BROKER_TCP_USER_TIMEOUT_MS": str(timeouts.tcp_user_timeout_ms),
        "BROKER_CONNECT_TIMEOUT_S": str(timeouts.connect_timeout_s),
        "BROKER_PUBLISHES": ",".join(entry.publishes),
        "BROKER_CONSUMES": json.dumps(consumes),
    }


def broker_secrets(service: str, entry: Service, generation: int) -> list[dict[str, Any]]:
    """Return the credential of an entry with events, as ``secret_view`` describes it."""
    if not entry.has_events:
        return []
    path = broker_secret(service, generation)
    return [{"name": "broker_password", "path": path, "kind": "random", "public": False}]
