"""Reading hosts and sites from an Ansible inventory, without Ansible (which takes a second to start).

Only literal values are understood: names, addresses and networks. That is what inventories of a lab hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface, ip_network
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.model import DEFAULT_DISK, Host, Site, parse_size

LONGEST_NAME = 12
"""`vb-HOST` and `br-SITE` have to fit into an interface name, which has 15 characters at most."""

NOT_CLASSES = frozenset({"all", "ungrouped", "platform"})


class _Loader(yaml.SafeLoader):
    """Safe YAML that tolerates Ansible's own tags: vaulted values are never needed here."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Inventory:
    """What one inventory says. `hosts` are in the file's order."""

    path: Path
    hosts: tuple[Host, ...]
    sites: tuple[Site, ...]
    domain: str
    public_names: tuple[str, ...]


def load(path: Path) -> Inventory:
    """Read an inventory file, or the `hosts.yml` of an inventory folder.

    Raises LabError with file, host, value and cure when something is missing or wrong.
    """
    file = path / "hosts.yml" if path.is_dir() else path
    if not file.is_file():
        raise LabError(f"the inventory {file} does not exist", "name an existing one with -i")
    variables = _group_vars(file.parent)
    domain = str(variables.get("platform_domain", ""))
    public_names = tuple(str(name) for name in variables.get("platform_public_names") or ())
    declared = _declared_sites(variables.get("platform_sites") or {}, file)
    hosts = tuple(
        _host(name, values, classes, declared, domain, public_names, file)
        for name, (values, classes) in _flatten(_read(file)).items()
    )
    _refuse_duplicates(hosts, file)
    sites = {site.name: site for site in declared.values()} | {host.site.name: host.site for host in hosts}
    return Inventory(file, hosts, tuple(sites.values()), domain, public_names)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        data = _Loader(file.read_text()).get_single_data()
    except yaml.YAMLError as error:
        raise LabError(f"{file} is not valid YAML: {error}", "correct the file") from None
    if not isinstance(data or {}, dict):
        raise LabError(f"{file} does not hold a mapping", "begin the inventory with `all:`")
    return data or {}


def _group_vars(folder: Path) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for base in (folder / "group_vars" / "all.yml", *sorted((folder / "group_vars" / "all").glob("*.yml"))):
        if base.is_file():
            variables.update(_read(base))
    return variables


def _flatten(tree: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], tuple[str, ...]]]:
    """Return each host's own variables and the names of all groups that it is in."""
    found: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {}
    for group, name, values in _walk(tree, ()):
        known, classes = found.get(name, ({}, ()))
        new = tuple(g for g in group if g not in classes and g not in NOT_CLASSES)
        found[name] = ({**known, **values}, classes + new)
    return found


def _walk(
    groups: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, Mapping[str, Any]]]:
    for group, body in groups.items():
        inside = (*above, group)
        for name, values in ((body or {}).get("hosts") or {}).items():
            yield inside, str(name), values or {}
        yield from _walk((body or {}).get("children") or {}, inside)


def _declared_sites(sites: Mapping[str, Any], file: Path) -> dict[str, Site]:
    declared: dict[str, Site] = {}
    for name, body in sites.items():
        _refuse_long_name(f"{file}: site {name}", name)
        networks = [_network(text, name, file) for text in (body or {}).get("networks") or ()]
        four = [n for n in networks if isinstance(n, IPv4Network)]
        six = [n for n in networks if isinstance(n, IPv6Network)]
        if not four:
            raise LabError(
                f"{file}: site {name} has no IPv4 network", f"add one to platform_sites.{name}.networks"
            )
        declared[name] = Site(
            name, four[0], six[0] if six else None, bool((body or {}).get("witness", False))
        )
    return declared


def _network(text: object, site: str, file: Path) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(text))
    except ValueError as error:
        raise LabError(
            f"{file}: site {site}: {error}", "write networks like 10.61.0.0/24 and fd61::/64"
        ) from None


def _host(
    name: str,
    values: Mapping[str, Any],
    classes: tuple[str, ...],
    declared: Mapping[str, Site],
    domain: str,
    public_names: tuple[str, ...],
    file: Path,
) -> Host:
    where = f"{file}: host {name}"
    _refuse_long_name(where, name)
    site = str(values.get("platform_site") or "")
    _refuse_long_name(where, site)
    if not site:
        raise LabError(f"{where} has no platform_site", "say in which site it stands")
    address = _address(values.get("platform_address") or values.get("ansible_host"), "ansible_host", where)
    six = values.get("platform_address6")
    address6 = _address(six, "platform_address6", where) if six else None
    if not isinstance(address, IPv4Address) or isinstance(address6, IPv4Address):
        raise LabError(
            f"{where}: addresses {address} and {address6} are of the wrong family",
            "ansible_host takes IPv4, platform_address6 takes IPv6",
        )
    return Host(
        name=name,
        site=_site_of(site, address, address6, declared, where),
        address=address,
        address6=address6,
        classes=classes,
        domain=domain,
        public_names=public_names if "edge" in classes else (),
        disk=parse_size(values.get("lab_disk", DEFAULT_DISK)),
    )


def _address(text: object, key: str, where: str) -> IPv4Address | IPv6Address:
    try:
        return ip_interface(str(text)).ip
    except ValueError:
        raise LabError(f"{where}: {key} is {text!r}, not an address", f"set {key} to an IP address") from None


def _site_of(
    name: str,
    address: IPv4Address,
    address6: IPv6Address | None,
    declared: Mapping[str, Site],
    where: str,
) -> Site:
    """Return the declared site, or one made from the host's own addresses (the world is no platform site)."""
    site = declared.get(name) or Site(
        name,
        IPv4Network(f"{address}/24", strict=False),
        IPv6Network(f"{address6}/64", strict=False) if address6 else None,
    )
    if address not in site.network or (address6 and (site.network6 is None or address6 not in site.network6)):
        raise LabError(
            f"{where}: {address} or {address6} is outside the networks of site {name}",
            f"take an address of {site.network}" + (f" and {site.network6}" if site.network6 else ""),
        )
    return site


def _refuse_long_name(where: str, name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise LabError(f"{where}: {name} is longer than {LONGEST_NAME} characters", "shorten it")


def _refuse_duplicates(hosts: Iterable[Host], file: Path) -> None:
    owner: dict[str, str] = {}
    for host in hosts:
        for address in host.addresses:
            if address in owner:
                raise LabError(
                    f"{file}: {owner[address]} and {host.name} both have {address}", "change one of them"
                )
            owner[address] = host.name
