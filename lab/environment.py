"""What tests and users need to know about a lab, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab import keys
from lab.inventory import Inventory
from lab.model import Host, Site
from lab.paths import NETNS

SSH_USER = "ansible"


def describe(inventories: Iterable[Inventory], world: str) -> dict[str, Any]:
    """Return hosts, sites, edges, addresses, URLs, CA file and SSH options of the inventories' lab."""
    known = list(inventories)
    hosts = [host for inventory in known for host in inventory.hosts]
    sites = {site.name: site for inventory in known for site in inventory.sites}
    names = list(dict.fromkeys(name for inventory in known for name in inventory.public_names))
    edges = [host for host in hosts if "edge" in host.classes]
    return {
        "hosts": {host.name: _host(host) for host in hosts},
        "sites": {site.name: _site(site) for site in sites.values()},
        "edges": [str(host.address) for host in edges],
        "public_names": names,
        "urls": [f"https://{name}/" for name in names],
        "ca_file": str(known[0].path.resolve().parent / ".secrets" / "ca" / "ca.pem"),
        "ssh": {"user": SSH_USER, "key": str(keys.user_key_path()), "options": keys.options()},
        "netns": NETNS,
        "world": world,
    }


def _host(host: Host) -> dict[str, Any]:
    return {
        "site": host.site.name,
        "address": str(host.address),
        "address6": str(host.address6) if host.address6 else None,
        "name": host.names[0],
        "classes": list(host.classes),
    }


def _site(site: Site) -> dict[str, Any]:
    return {
        "networks": [str(network) for network in (site.network, site.network6) if network],
        "gateway": str(site.gateway),
        "bridge": site.bridge,
        "witness": site.witness,
    }
