# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The platform's own variables (``platform_*``) and what each may be."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from . import names
from .alerts import Alerts, check_alerts
from .apt_repositories import AptRepository, check_apt_repositories
from .gateway import Gateway
from .problems import Report, counted, listing, shown
from .project_files import ProjectFiles, absolute
from .prometheus_settings import PrometheusSettings
from .schema import Strict, read, wrong

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX = "platform_"
# Set per host, not for the platform.
HOST_VARIABLES = (
    "platform_site",
    "platform_address",
    "platform_address6",
    "platform_ingress_haproxy_address",
)


def _dns_label(value: str) -> str:
    if not names.is_dns_label(value):
        raise wrong(f"{value!r} is not a DNS label", "use a-z, 0-9 and -, at most 63 characters")
    return value


def _dns_name(value: str) -> str:
    if not names.is_dns_name(value):
        raise wrong(
            f"{value!r} is not a DNS name", "write a lower-case name with a dot, as in shop.example.org"
        )
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise wrong(
            f"{value!r} is not a network: {error}", "write it as 192.0.2.0/24 or 2001:db8::/64"
        ) from error


def _memory(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(kB|MB|GB|TB)", value):
        raise wrong(f"{value!r} is not a size of Postgres", "write a number with kB, MB or GB, as in 512MB")
    return value


def _failover_version(value: str) -> str:
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", value):
        raise wrong(f"{value!r} is not a version", 'write it in quotes, as in "2.2"')
    return value


def _version(value: int) -> int:
    if value != 17:
        raise wrong(
            f"{value} is not supported", "write 17, the only version that the failover tests ran with"
        )
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise wrong(f"{value!r} is a relative path", 'start it with "{{ inventory_dir }}/"')
    return value


Memory = Annotated[str, AfterValidator(_memory)]
Folder = Annotated[str, AfterValidator(_absolute)]
DnsName = Annotated[str, AfterValidator(_dns_name)]


class Site(Strict):
    """A datacenter, or the witness site, which votes but takes no user traffic."""

    networks: Annotated[
        list[Annotated[str, AfterValidator(_network)]],
        Field(min_length=1, examples=["networks: [192.0.2.0/24]"]),
    ]
    witness: bool = False

    @property
    def parsed(self) -> list[Network]:
        """The networks as objects."""
        return [ipaddress.ip_network(network) for network in self.networks]


class PostgresSettings(Strict):
    """Versions and sizes of the database."""

    version: Annotated[int, AfterValidator(_version)] = 17
    failover_version: Annotated[str, AfterValidator(_failover_version)] = "2.2"
    max_connections: Annotated[int, Field(ge=20, le=5000)] = 100
    shared_buffers: Memory = "128MB"
    effective_cache_size: Memory | None = None
    work_mem: Memory | None = None
    maintenance_work_mem: Memory | None = None
    wal_keep_size: Memory | None = None
    max_slot_wal_keep_size: Memory | None = None

    def server_settings(self) -> dict[str, int | str]:
        """Return what goes to postgresql.conf: everything but the versions, and only what is set."""
        data = self.model_dump(exclude={"version", "failover_version"}, exclude_none=True)
        return {key: data[key] for key in sorted(data)}


class RabbitmqSettings(Strict):
    """What concerns the broker. Its sizes are the role's."""

    # With a higher one every service gets a new user and password; the old ones go at the end of the run.
    password_generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class EdgeCertificate(Strict):
    """One's own certificate for the edges: files on the controller."""

    certificate: str
    key: str


class Platform(Strict):
    """Every ``platform_*`` variable of the platform, without the prefix."""

    name: Annotated[str, AfterValidator(_dns_label), Field(examples=["platform_name: shop"])]
    domain: Annotated[DnsName, Field(examples=["platform_domain: example.org"])]
    public_names: Annotated[
        list[DnsName], Field(min_length=1, examples=["platform_public_names: [shop.example.org]"])
    ]
    sites: Annotated[
        dict[Annotated[str, AfterValidator(_dns_label)], Site],
        Field(min_length=1, examples=["platform_sites: {msk: {networks: [192.0.2.0/24]}}"]),
    ]
    timeouts: Any = "normal"  # read by timeouts.choose
    secrets_dir: Annotated[Folder, Field(examples=['platform_secrets_dir: "{{ inventory_dir }}/.secrets"'])]
    project_dir: Annotated[Folder, Field(examples=['platform_project_dir: "{{ inventory_dir }}/.."'])]
    postgres: Annotated[PostgresSettings, Field(default_factory=PostgresSettings)]
    rabbitmq: Annotated[RabbitmqSettings, Field(default_factory=RabbitmqSettings)]
    edge_certificate: EdgeCertificate | None = None
    gateway: Annotated[Gateway, Field(default_factory=Gateway)]
    alerts: Annotated[Alerts, Field(default_factory=Alerts)]
    # False: no metrics, logs, dashboards and alerts; nothing of theirs is derived.
    observability: bool = True
    prometheus: Annotated[PrometheusSettings, Field(default_factory=PrometheusSettings)]
    apt_repositories: Annotated[list[AptRepository], Field(default_factory=list)]

    @property
    def witness_sites(self) -> list[str]:
        """Names of the sites that only vote."""
        return sorted(name for name, site in self.sites.items() if site.witness)

    @property
    def datacenters(self) -> list[str]:
        """Names of the sites that take user traffic."""
        return sorted(name for name, site in self.sites.items() if not site.witness)


def read_platform(variables: Mapping[str, Any], files: ProjectFiles, report: Report) -> Platform | None:
    """Read the platform's variables (with the prefix, without per-host ones) and check them on their own."""
    data = {key.removeprefix(PREFIX): value for key, value in variables.items()}
    platform, problems = read(Platform, data, "platform", separator="_")
    report.problems += [problem for _, problem in problems]
    if platform is None:
        platform = _salvaged(data, {str(location[0]) for location, _ in problems if location})
    if platform is None:
        return None
    _check_sites(platform, report)
    _check_edge_certificate(platform, files, report)
    check_alerts(platform.alerts, platform.project_dir, files, report)
    check_apt_repositories(platform.apt_repositories, platform.project_dir, files, report)
    return platform


# Stand in for variables that are wrong, so that the others, the hosts and the catalog are still checked;
# nothing is derived then. Sites and the project's folder have no stand-in: too much follows from them.
STAND_INS: dict[str, Any] = {
    "name": "unknown",
    "domain": "unknown.invalid",
    "public_names": ["unknown.invalid"],
    "secrets_dir": "/",
}


def _salvaged(data: Mapping[str, Any], failing: set[str]) -> Platform | None:
    sound = {key: value for key, value in data.items() if key not in failing}
    stand_ins = {key: value for key, value in STAND_INS.items() if key in failing}
    return read(Platform, sound | stand_ins, "platform", separator="_")[0]


def _check_sites(platform: Platform, report: Report) -> None:
    where = "platform_sites"
    witnesses = counted(len(platform.witness_sites), "site")
    if len(platform.witness_sites) != 1:
        report.refuse(
            where,
            f"{witnesses} with witness: true ({listing(platform.witness_sites)})",
            "mark exactly one; it breaks the tie when the datacenters lose each other",
        )
    if len(platform.datacenters) < 2:
        report.refuse(
            where,
            f"has {counted(len(platform.datacenters), 'datacenter')} ({listing(platform.datacenters)})",
            "name two sites without witness: true",
        )
    networks = [(name, net) for name, site in sorted(platform.sites.items()) for net in site.parsed]
    for (first, one), (second, other) in itertools.combinations(networks, 2):
        if one.version == other.version and one.overlaps(other):
            report.refuse(
                f"{where}.{second}.networks",
                f"{other} overlaps {one} of site {first}",
                "give every site networks of its own; a host's site must follow from its address",
            )


def _check_edge_certificate(platform: Platform, files: ProjectFiles, report: Report) -> None:
    if platform.edge_certificate is None:
        return
    for key, path in platform.edge_certificate.model_dump().items():
        full = absolute(platform.project_dir, path)
        if not files.exists(full):
            report.refuse(
                f"platform_edge_certificate.{key}",
                f"{shown(path)} is not there (looked for {full})",
                "put the file there, or write its path from platform_project_dir; "
                "null makes the platform's own authority sign one",
            )
