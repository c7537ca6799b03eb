# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold where one entry names another: calls, dependencies, databases, public halves of keys."""

from __future__ import annotations

import graphlib
import itertools

from .catalog import Secret, Service
from .problems import Report, did_you_mean, listing, shown
from .service_names import PLATFORM_COMPONENTS, owner_role, runtime_role, url_name
from .services import Catalog


def check_links(catalog: Catalog, report: Report) -> None:
    """Check everything that leads from one entry to another."""
    check_calls(catalog, report)
    check_depends_on(catalog, report)
    check_databases(catalog, report)
    check_public_halves(catalog, report)
    check_shared_secrets(catalog, report)


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
                service_called = catalog.service_of(called)
                cure = f"give {called} a port" if service_called == called else f"write {service_called}"
                report.refuse(where, f"service {called} has no port", f"{cure}, or remove the call")
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
        # A part needs its parent without saying so; the cycle begins where somebody wrote it.
        pairs = itertools.pairwise(cycle)
        first = next(name for name, needed in pairs if needed in catalog.services[name].depends_on)
        cycle = cycle[cycle.index(first) : -1] + cycle[: cycle.index(first)] + [first]
        report.refuse(
            catalog.where(first, "depends_on"),
            f"is a cycle: {' -> '.join(cycle)}",
            "remove one of them; services that only call each other need calls, not depends_on",
        )


def needed_by(name: str, catalog: Catalog) -> list[str]:
    """Return what comes before an entry: its dependencies, and its parent, whose release it runs."""
    parent = catalog.services[name].part_of
    return [*([parent] if parent else []), *catalog.services[name].depends_on]


def dependency_cycle(catalog: Catalog) -> list[str]:
    """Return one cycle of depends_on, first name again at its end, or an empty list."""
    graph = {
        name: [needed for needed in needed_by(name, catalog) if needed in catalog.services]
        for name in catalog.services
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
        for needed in needed_by(name, catalog):
            place(needed)
        ordered.append(name)

    for name in catalog.services:
        place(name)
    return ordered


def check_databases(catalog: Catalog, report: Report) -> None:
    """Refuse a database of two services, and a database whose roles are another one's."""
    owners: dict[str, str] = {}
    for name, service in catalog.services.items():
        if service.part_of or service.database is None or service.database.name is None:
            continue
        database = service.database.name
        roles = (runtime_role(database), owner_role(database))
        taken = next((role for role in roles if role in owners), None)
        if taken is not None:
            report.refuse(
                catalog.where(name, "database", "name"),
                f"{shown(database)} needs the role {taken}, which service {owners[taken]} has",
                "give every service a database of its own; others ask the service",
            )
        owners |= dict.fromkeys(roles, name)


def check_public_halves(catalog: Catalog, report: Report) -> None:
    """Refuse ``public_of`` of a secret that is not there or has no public half."""
    kinds = catalog.secret_kinds()
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


def check_shared_secrets(catalog: Catalog, report: Report) -> None:
    """Refuse a secret that a part and its parent, or another part, take for different things."""
    known: dict[str, tuple[str, Secret]] = {}
    for name in sorted(catalog.services, key=lambda name: catalog.service_of(name) != name):  # parents first
        for number, secret in enumerate(catalog.services[name].secrets):
            path = f"{catalog.service_of(name)}/{secret.name}"
            first, same = known.setdefault(path, (name, secret))
            if (secret.kind or "random", secret.public_of) != (same.kind or "random", same.public_of):
                report.refuse(
                    catalog.where(name, "secrets", number),
                    f"{shown(secret.name)} is something else in {first}, and one secret of the service",
                    "write it in the same way, or give it another name",
                )


def called_urls(service: Service, catalog: Catalog) -> dict[str, str]:
    """Return the URL variables of the services that this one calls, on the host's loopback listeners."""
    return {
        url_name(called): f"http://127.0.0.2:{catalog.services[called].port}"
        for called in service.calls
        if called in catalog.services
    }
