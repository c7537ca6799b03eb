# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What every host needs: its facts of the inventory, all hosts' names, its certificates."""

from __future__ import annotations

from typing import Any

from .inventory import Host, Inventory
from .project_files import absolute
from .settings import Platform

COMMON_NAME_LENGTH = 64  # X.520's limit


def host_view(host: Host) -> dict[str, Any]:
    """Return what is known of one host."""
    return {
        "site": host.site,
        "address": host.address,
        "address6": host.address6,
        "fqdn": host.fqdn,
        "classes": list(host.classes),
    }


def etc_hosts_view(inventory: Inventory) -> list[dict[str, Any]]:
    """Return every host's address and names, the full one first.

    Only IPv4: doors and databases listen there; a name with both would cost a refused connection first.
    """
    return [{"address": host.address, "names": [host.fqdn, host.name]} for host in inventory.hosts.values()]


def certificates_view(host: Host, inventory: Inventory, platform: Platform) -> list[dict[str, Any]]:
    """Return the certificates that a host's components present."""
    certificates = []
    if host.has("edge", "app"):
        # The common name is the inventory's: doors decide by it who may call.
        certificates.append(_internal("haproxy", host))
    if host.has("data", "witness"):
        certificates.append(_internal("postgres", host))
        certificates.append(_internal("rabbitmq", host))
    if host.has("data"):
        certificates.append(_internal("valkey", host))
    if inventory.of("obs"):
        # Scrapers and those whom they scrape know each other by the inventory's names.
        certificates.append(_internal("metrics", host, "prometheus"))
        certificates.append(_internal("platform-exporter", host))
        certificates.append(_internal("promtail", host))
    if host.has("obs"):
        certificates += [_internal(name, host) for name in ("alertmanager", "loki", "grafana")]
    if host.has("edge"):
        certificates.append(_edge(platform))
    return certificates


def _internal(name: str, host: Host, user: str | None = None) -> dict[str, Any]:
    """Return a certificate of the host's own name; ``user`` reads it, else the one of the certificate's name."""
    addresses = [address for address in (host.address, host.address6) if address is not None]
    return {
        "name": name,
        "common_name": host.name,
        "subject_alt_names": [
            f"DNS:{host.fqdn}",
            f"DNS:{host.name}",
            *(f"IP:{address}" for address in addresses),
        ],
        "usages": ["server", "client"],
        "owner": user or name,
        "group": user or name,
        "provided": None,
    }


def edge_certificate_view(platform: Platform) -> dict[str, str] | None:
    """Return the controller's files of one's own edge certificate; null when the platform's authority signs it."""
    own = platform.edge_certificate
    if own is None:
        return None
    return {key: absolute(platform.project_dir, path) for key, path in own.model_dump().items()}


def _edge(platform: Platform) -> dict[str, Any]:
    short = [name for name in platform.public_names if len(name) <= COMMON_NAME_LENGTH]
    return {
        "name": "edge",
        "common_name": short[0] if short else "edge",
        "subject_alt_names": [f"DNS:{name}" for name in platform.public_names],
        "usages": ["server"],
        "owner": "root",
        "group": "root",
        "provided": edge_certificate_view(platform),
    }
