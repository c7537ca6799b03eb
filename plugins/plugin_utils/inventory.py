# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The platform's hosts: which site, addresses and classes each has, and what must hold between them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import names
from .problems import Report, did_you_mean, listing, shown
from .settings import Platform

CLASSES = ("edge", "app", "data", "obs", "witness")
PLATFORM_GROUP = "platform"
Groups = Mapping[str, Sequence[str]]
HostVariables = Mapping[str, Mapping[str, Any]]

ADDRESS_KEYS = {"platform_address": 4, "platform_address6": 6, "platform_ingress_haproxy_address": 4}


@dataclass(frozen=True)
class Host:
    """One host of the platform. Addresses are plain text; ``address`` is IPv4."""

    name: str
    site: str
    address: str
    address6: str | None
    ingress_address: str | None  # where HAProxy itself is an ingress
    fqdn: str
    classes: tuple[str, ...]

    def has(self, *classes: str) -> bool:
        """Tell whether the host is in one of the classes."""
        return any(name in self.classes for name in classes)


@dataclass(frozen=True)
class Inventory:
    """Hosts by name in the inventory's order, and every group's members that are hosts of the platform."""

    hosts: Mapping[str, Host]
    groups: Groups
    members: frozenset[str] = field(default_factory=frozenset)  # hosts in group platform, sound or not

    def of(self, *classes: str) -> list[Host]:
        """Return the hosts of these classes, in the inventory's order."""
        return [host for host in self.hosts.values() if host.has(*classes)]

    def first_of_each_site(self, name: str) -> list[Host]:
        """Return the first host of a class in each site that has any."""
        first: dict[str, Host] = {}
        for host in self.of(name):
            first.setdefault(host.site, host)
        return list(first.values())

    def without(self, name: str) -> Inventory:
        """Return the same hosts, none of which is of this class."""
        hosts = {
            host.name: replace(host, classes=tuple(item for item in host.classes if item != name))
            for host in self.hosts.values()
        }
        return replace(self, hosts=hosts)

    def names_of(self, name: str) -> list[str]:
        """Return the names of a class's hosts, those too that have a problem of their own."""
        return [host for host in self.groups.get(name, ()) if host in self.members]

    def in_group(self, group: str) -> list[Host]:
        """Return the hosts of an inventory group, in the inventory's order."""
        inside = set(self.groups.get(group, ()))
        return [host for host in self.hosts.values() if host.name in inside]


def read_inventory(groups: Groups, variables: HostVariables, platform: Platform, report: Report) -> Inventory:
    """Read every host of group ``platform``; hosts with a problem are reported and left out of the result."""
    members = list(groups.get(PLATFORM_GROUP, ()))
    if not members:
        report.refuse(
            "group platform",
            "has no hosts",
            "make edge, app, data, obs and witness children of group platform",
        )
    _check_classes(groups, set(members), report)
    hosts = {}
    for name in members:
        host = _read_host(name, groups, variables.get(name, {}), platform, report)
        if host is not None:
            hosts[name] = host
    _check_unique_addresses(hosts.values(), report)
    inventory = Inventory(hosts, groups, frozenset(members))
    _check_sites_of_classes(inventory, platform, report)
    return inventory


def _check_classes(groups: Groups, members: set[str], report: Report) -> None:
    for group in CLASSES:
        for name in groups.get(group, ()):
            if name not in members:
                report.refuse(
                    f"hosts.{name}",
                    f"is in group {group} but not in group platform",
                    f"make {group} a child of group platform",
                )


def _read_host(
    name: str, groups: Groups, variables: Mapping[str, Any], platform: Platform, report: Report
) -> Host | None:
    before = len(report.problems)
    where = f"hosts.{name}"
    if not names.is_dns_label(name):
        report.refuse(
            where,
            f"{shown(name)} is not a DNS label",
            f"use a-z, 0-9 and -; the host's full name is NAME.{platform.domain}",
        )
    classes = tuple(group for group in CLASSES if name in groups.get(group, ()))
    if not classes:
        report.warn(
            f"{where}: is in none of the groups {listing(CLASSES)}; it gets only what every host gets"
        )
    site = _read_site(where, variables, platform, report)
    addresses = _read_addresses(where, variables, report)
    if site is not None:
        for key in ("platform_address", "platform_address6"):
            _check_network(where, key, addresses[key], site, platform, report)
    if len(report.problems) > before or site is None:
        return None
    return Host(
        name=name,
        site=site,
        address=str(addresses["platform_address"]),
        address6=addresses["platform_address6"],
        ingress_address=addresses["platform_ingress_haproxy_address"],
        fqdn=f"{name}.{platform.domain}",
        classes=classes,
    )


def _read_site(where: str, variables: Mapping[str, Any], platform: Platform, report: Report) -> str | None:
    site = variables.get("platform_site")
    known = listing(platform.sites)
    if site is None:
        report.refuse(f"{where}.platform_site", "is missing", f"set it to the host's site: {known}")
        return None
    if site not in platform.sites:
        cure = did_you_mean(str(site), platform.sites, f"write one of {known}, or add it to platform_sites")
        report.refuse(f"{where}.platform_site", f"{shown(site)} is not in platform_sites", cure)
        return None
    return str(site)


def _read_addresses(where: str, variables: Mapping[str, Any], report: Report) -> dict[str, str | None]:
    """Read a host's addresses; one that is missing or wrong is None, and reported where it must be there."""
    found: dict[str, str | None] = {}
    for key, version in ADDRESS_KEYS.items():
        source, value = key, variables.get(key)
        if value is None and key == "platform_address":
            source, value = "ansible_host", variables.get("ansible_host")
            if value is None:
                report.refuse(
                    f"{where}.platform_address", "is missing", "set it, or ansible_host, to the IPv4 address"
                )
        found[key] = _address(value, version)
        if value is not None and found[key] is None:
            report.refuse(
                f"{where}.{source}",
                f"{shown(value)} is not an IPv{version} address",
                f"write an IPv{version} address"
                + (", or set platform_address beside it" if source == "ansible_host" else ""),
            )
    return found


def _address(value: Any, version: int) -> str | None:
    """Return the canonical text of an address of one IP version, or None when it is not one."""
    try:
        address = ipaddress.ip_address(str(value))
    except ValueError:
        return None
    return str(address) if address.version == version else None


def _check_network(
    where: str, key: str, address: str | None, site: str, platform: Platform, report: Report
) -> None:
    if address is None:
        return
    parsed = ipaddress.ip_address(address)
    networks = platform.sites[site].parsed
    if not any(parsed in network for network in networks if network.version == parsed.version):
        report.refuse(
            f"{where}.{key}",
            f"{address} is in none of the networks of site {site} ({', '.join(map(str, networks))})",
            f"correct the address or platform_site, or add the network to platform_sites.{site}.networks",
        )


def _check_unique_addresses(hosts: Iterable[Host], report: Report) -> None:
    owners: dict[str, str] = {}
    for host in hosts:
        for address in (host.address, host.address6, host.ingress_address):
            if address is None:
                continue
            other = owners.setdefault(address, host.name)
            if other != host.name or address == host.ingress_address == host.address:
                report.refuse(
                    f"hosts.{host.name}",
                    f"{address} is already an address of {other}",
                    "give every host, and an ingress of HAProxy, an address of its own",
                )


def _check_sites_of_classes(inventory: Inventory, platform: Platform, report: Report) -> None:
    for host in inventory.hosts.values():
        witness_site = platform.sites[host.site].witness
        traffic = [name for name in host.classes if name in {"edge", "app", "data"}]
        if witness_site and traffic:
            report.refuse(
                f"hosts.{host.name}",
                f"is in {listing(traffic)} on the witness site {host.site}",
                "move it to a datacenter; a witness site only votes (groups witness and obs)",
            )
        if host.has("witness") and not witness_site:
            report.refuse(
                f"hosts.{host.name}",
                f"is in group witness on site {host.site}, a datacenter",
                f"move it to the witness site ({listing(platform.witness_sites)}), "
                "or its vote is lost together with the datacenter",
            )
    for site in platform.datacenters:
        for name in ("edge", "app"):
            if not any(host.site == site for host in inventory.of(name)):
                report.warn(
                    f"platform_sites.{site}: has no host in group {name}; "
                    "users are not served when the other datacenter is lost"
                )
