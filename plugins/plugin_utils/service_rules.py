# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the catalog's entries, and between them, the hosts and the project's files."""

from __future__ import annotations

import graphlib
import itertools
import posixpath
from collections.abc import Iterator

from . import names
from .catalog import HIGHEST_PORT, Service, source_kind
from .inventory import Inventory
from .problems import Report, did_you_mean, listing, shown
from .project_files import ProjectFiles, absolute
from .service_names import PLATFORM_COMPONENTS, is_derived, owner_role, url_name
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
    9080: "Promtail",
    9090: "Prometheus",
    9093: "Alertmanager",
    9100: "host metrics",
    15672: "RabbitMQ",
    25672: "RabbitMQ",
}


def check_services(catalog: Catalog, inventory: Inventory, report: Report) -> None:
    """Check everything that concerns entries and hosts."""
    check_ports(catalog, report)
    check_routes(catalog, report)
    check_placement(catalog, inventory, report)
    check_ingress(catalog, inventory, report)
    check_calls(catalog, report)
    check_depends_on(catalog, report)
    check_databases(catalog, report)
    check_public_halves(catalog, report)
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
                f"choose ports from {max(one.ports.stop, other.ports.stop)} on; instance i listens on port + i - 1",
            )


def _ports(service: Service) -> str:
    first, last = service.ports[0], service.ports[-1]
    return str(first) if first == last else f"{first}..{last}"


def check_routes(catalog: Catalog, report: Report) -> None:
    """Refuse a path that is claimed twice at one ingress; ``/cart`` and ``/cart/`` claim the same paths."""
    owners: dict[tuple[str | None, str], tuple[str, str]] = {}
    for name, service in catalog.services.items():
        for number, route in enumerate(service.routes):
            claim = (service.ingress, route.rstrip("/"))
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


def check_placement(catalog: Catalog, inventory: Inventory, report: Report) -> None:
    """Refuse groups that do not exist, are empty, or have hosts without a door."""
    for name, service in catalog.services.items():
        where, group = catalog.where(name, "hosts"), service.hosts
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
        if len(sites) == 1:
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


def check_calls(catalog: Catalog, report: Report) -> None:
    """Refuse calls to what is not there, to itself, and to workers."""
    for name, service in catalog.services.items():
        for number, called in enumerate(service.calls):
            where = catalog.where(name, "calls", number)
            if called not in catalog.names:
                cure = did_you_mean(called, catalog.names, f"write one of {listing(catalog.names)}")
                report.refuse(where, f"{shown(called)} is not in the catalog", cure)
            elif called == name:
                report.refuse(where, f"{shown(called)} calls itself", "remove it")
            elif called in catalog.services and catalog.services[called].port is None:
                report.refuse(
                    where, f"service {called} has no port", f"give {called} a port, or remove the call"
                )
            elif called in service.calls[:number]:
                report.refuse(where, f"{shown(called)} is listed twice", "remove one")


def check_depends_on(catalog: Catalog, report: Report) -> None:
    """Refuse dependencies on what is not there, and cycles."""
    known = catalog.names | PLATFORM_COMPONENTS
    for name, service in catalog.services.items():
        for number, needed in enumerate(service.depends_on):
            if needed not in known:
                cure = did_you_mean(needed, known, f"write one of {listing(known)}")
                report.refuse(
                    catalog.where(name, "depends_on", number), f"{shown(needed)} is not known", cure
                )
    cycle = dependency_cycle(catalog)
    if cycle:
        report.refuse(
            catalog.where(cycle[0], "depends_on"),
            f"is a cycle: {' -> '.join(cycle)}",
            "remove one of them; services that only call each other need calls, not depends_on",
        )


def dependency_cycle(catalog: Catalog) -> list[str]:
    """Return one cycle of depends_on, first name again at its end, or an empty list."""
    graph = {
        name: [n for n in entry.depends_on if n in catalog.services]
        for name, entry in catalog.services.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # The sorter lists each one before the one that needs it; people read it the other way round.
        return list(reversed([str(name) for name in error.args[1]]))
    return []


def start_order(catalog: Catalog) -> list[str]:
    """Return the services so that each comes after those it depends on, else in the catalog's order."""
    ordered: list[str] = []

    def place(name: str) -> None:
        if name in ordered or name not in catalog.services:
            return
        for needed in catalog.services[name].depends_on:
            place(needed)
        ordered.append(name)

    for name in catalog.services:
        place(name)
    return ordered


def check_databases(catalog: Catalog, report: Report) -> None:
    """Refuse a database of two services, and a database whose roles are another one's."""
    owners: dict[str, str] = {}
    for name, service in catalog.services.items():
        if service.database is None or service.database.name is None:
            continue
        database = service.database.name
        for role in (database, owner_role(database)):
            other = owners.setdefault(role, name)
            if other != name:
                report.refuse(
                    catalog.where(name, "database", "name"),
                    f"{shown(database)} needs the role {role}, which service {other} has",
                    "give every service a database of its own; others ask the service",
                )


def check_public_halves(catalog: Catalog, report: Report) -> None:
    """Refuse ``public_of`` of a secret that is not there or has no public half."""
    kinds = {
        f"{name}/{secret.name}": secret.kind or "random"
        for name, service in catalog.services.items()
        for secret in service.secrets
        if secret.public_of is None
    }
    pairs = sorted(path for path, kind in kinds.items() if kind == "ec-p256")
    for name, service in catalog.services.items():
        for number, secret in enumerate(service.secrets):
            path = secret.public_of
            # An entry with problems of its own may have the secret; only its problems are reported then.
            if path is None or (path.partition("/")[0] in catalog.names - set(catalog.services)):
                continue
            where = catalog.where(name, "secrets", number) + ".public_of"
            if path not in kinds:
                cure = did_you_mean(path, pairs, f"write SERVICE/SECRET, one of {listing(pairs)}")
                report.refuse(where, f"{shown(path)} is no service's secret", cure)
            elif kinds[path] != "ec-p256":
                report.refuse(
                    where,
                    f"{shown(path)} is {kinds[path]} and has no public half",
                    "give that secret kind: ec-p256",
                )


def check_environment(catalog: Catalog, report: Report) -> None:
    """Refuse variables that the platform sets itself."""
    for name, service in catalog.services.items():
        for variable in sorted(service.environment):
            if is_derived(variable, service):
                report.refuse(
                    catalog.where(name, "environment", variable),
                    "is set by the platform",
                    "rename it, or remove it: the platform's value is the right one",
                )


def check_files(catalog: Catalog, project_dir: str, files: ProjectFiles, report: Report) -> None:
    """Refuse apps, environment files and init scripts that the project does not have."""
    for name, service in catalog.services.items():
        _check_app(name, service, catalog, project_dir, files, report)
        for number, path in enumerate(service.env_file):
            where = catalog.where(name, "env_file", number)
            if _is_there(where, path, project_dir, files, report):
                _check_env_file(where, absolute(project_dir, path), service, files, report)
        for number, path in enumerate(service.database.init if service.database else []):
            _is_there(catalog.where(name, "database", "init", number), path, project_dir, files, report)


def _check_app(
    name: str, service: Service, catalog: Catalog, project_dir: str, files: ProjectFiles, report: Report
) -> None:
    where, kind = catalog.where(name, "app"), source_kind(service.app)
    if (
        kind == "requirement"
        or not _is_there(where, service.app, project_dir, files, report)
        or kind == "wheel"
    ):
        return
    for needed in ("pyproject.toml", "requirements.lock"):
        if not files.exists(posixpath.join(absolute(project_dir, service.app), needed)):
            report.refuse(
                where,
                f"{shown(service.app)} has no {needed}",
                f"add {needed}; an app is a folder with pyproject.toml and requirements.lock, a .whl or name==version",
            )


def _is_there(where: str, path: str, project_dir: str, files: ProjectFiles, report: Report) -> bool:
    full = absolute(project_dir, path)
    if files.exists(full):
        return True
    folder = posixpath.dirname(path.rstrip("/"))
    beside = [posixpath.join(folder, other) for other in files.names(posixpath.dirname(full))]
    otherwise = "create it, or write its path from platform_project_dir"
    report.refuse(
        where, f"{shown(path)} is not there (looked for {full})", did_you_mean(path, beside, otherwise)
    )
    return False


def env_file_variables(text: str) -> Iterator[tuple[int, str | None]]:
    """Return (line number, variable) of an environment file; None for a line that is not NAME=value."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        variable, separator, _ = line.partition("=")
        sound = bool(separator) and names.ENVIRONMENT_NAME.fullmatch(variable.strip())
        yield number, variable.strip() if sound else None


def _check_env_file(where: str, path: str, service: Service, files: ProjectFiles, report: Report) -> None:
    for number, variable in env_file_variables(files.text(path) or ""):
        # The line itself is not repeated: it may hold a secret.
        if variable is None:
            report.refuse(where, f"line {number} of {path} is not NAME=value", "correct the line")
        elif is_derived(variable, service):
            report.refuse(
                where, f"line {number} of {path} sets {variable}, which the platform sets", "rename it"
            )


def called_urls(service: Service, catalog: Catalog) -> dict[str, str]:
    """Return the URL variables of the services that this one calls, on the host's loopback listeners."""
    return {
        url_name(called): f"http://127.0.0.2:{catalog.services[called].port}"
        for called in service.calls
        if called in catalog.services
    }
