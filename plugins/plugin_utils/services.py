# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the catalog: the merge of its two files, every entry's model, and what an entry may say alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import names
from .catalog import Service, completed, default_database
from .merge import contains, merged
from .problems import Report, shown
from .schema import Location, read

FIRST, SECOND = "services", "services_override"
SHARED_PREFIX = "x-"  # entries that exist to carry YAML anchors


@dataclass(frozen=True)
class Catalog:
    """The merged catalog, in its order.

    ``services``: the entries by name. ``entries``: those and, without their wrong keys, the ones that rules
    between entries must not see. ``names``: also of entries that can't be read at all.
    """

    services: Mapping[str, Service]
    entries: Mapping[str, Service]
    names: frozenset[str]
    override: Mapping[str, Any]

    def where(self, service: str, *path: str | int) -> str:
        """Return the key as a person finds it: below the file that gave it its value."""
        return where_of(self.override, service, path)


def where_of(override: Mapping[str, Any], service: str, path: tuple[str | int, ...]) -> str:
    """Return ``services.NAME.path``, or ``services_override.NAME.path`` where the override has that key."""
    root = SECOND if path and contains(override, (service, *path)) else FIRST
    text = f"{root}.{service}"
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text


def read_catalog(first: Any, second: Any, report: Report) -> Catalog:
    """Merge and read ``services`` and ``services_override``; what can't be read is reported and left out."""
    base, override = _mapping(FIRST, first, report), _mapping(SECOND, second, report)
    entries = {str(key): value for key, value in merged(base, override).items() if _is_entry(key)}
    services: dict[str, Service] = {}
    partial: dict[str, Service] = {}
    for name, entry in entries.items():
        service, sound = _read_entry(name, entry, override, report)
        if service is not None:
            (services if sound else partial)[name] = service
    return Catalog(services, services | partial, frozenset(entries), override)


def _mapping(where: str, value: Any, report: Report) -> Mapping[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    report.refuse(
        where, f"{shown(value)} is not a mapping", "write a mapping of service names and their entries"
    )
    return {}


def _is_entry(key: Any) -> bool:
    return not str(key).startswith(SHARED_PREFIX)


# Rules between entries would blame the wrong entry or key when these are missing.
INDISPENSABLE = frozenset({"ingress", "port", "secrets"})
# Stand in for wrong values of required keys; no rule objects to them.
STAND_INS = {"app": "unknown==0", "hosts": ""}


def _read_entry(
    name: str, entry: Any, override: Mapping[str, Any], report: Report
) -> tuple[Service | None, bool]:
    """Return the entry, without its wrong keys, and whether rules between entries may see it."""
    _check_name(name, report)
    service, problems = read(Service, entry, f"{FIRST}.{name}")
    for location, problem in problems:
        path: Location = tuple(part for part in location if part != "[key]")
        key = problem.where
        if path and contains(override, (name, *path)):
            key = SECOND + key.removeprefix(FIRST)
        report.refuse(key, problem.what, problem.cure)
    if service is None:
        failing = {str(location[0]) for location, _ in problems if location}
        return _salvaged(name, entry, failing), not failing & INDISPENSABLE
    before = len(report.problems)
    _check_combination(name, service, override, report)
    _check_secrets(name, service, override, report)
    return completed(name, service), len(report.problems) == before


def _salvaged(name: str, entry: Any, failing: set[str]) -> Service | None:
    if not isinstance(entry, Mapping):
        return None
    sound = {key: value for key, value in entry.items() if key not in failing}
    stand_ins = {key: value for key, value in STAND_INS.items() if key in failing}
    service, _ = read(Service, sound | stand_ins, name)
    return completed(name, service) if service is not None else None


def _check_name(name: str, report: Report) -> None:
    where = f"{FIRST}.{name}"
    if not names.SERVICE_NAME.fullmatch(name):
        report.refuse(where, f"{shown(name)} is not a DNS label", "use a-z, 0-9 and -, a letter first")
    if len(name) > names.SERVICE_NAME_LENGTH:
        report.refuse(
            where,
            f"the name has {len(name)} characters",
            f"use at most {names.SERVICE_NAME_LENGTH}; the Unix user and the units are named after it",
        )
    if name in names.RESERVED_SERVICE_NAMES or name.startswith("systemd-"):
        report.refuse(
            where, f"{shown(name)} is the name of a unit of the host or the platform", "choose another name"
        )


def _check_combination(name: str, service: Service, override: Mapping[str, Any], report: Report) -> None:
    """Refuse keys that contradict each other."""
    if service.database and not service.database.name and names.is_reserved_database(default_database(name)):
        report.refuse(
            where_of(override, name, ("database",)),
            f"{shown(default_database(name))} belongs to Postgres or the platform",
            "give the database a name",
        )
    if service.port is None and service.command is None:
        report.refuse(
            where_of(override, name, ()),
            "has neither port nor command",
            "a web service needs a port, a worker a command",
        )
    if service.command is not None and service.wsgi is not None:
        report.refuse(
            where_of(override, name, ("wsgi",)),
            "stands beside command",
            "keep one of the two: command or wsgi",
        )
    if service.command is not None and service.threads is not None:
        report.refuse(
            where_of(override, name, ("threads",)),
            "is gunicorn's and stands beside command",
            "remove threads",
        )
    if service.port is None:
        for key in sorted({"cache", "routes", "ingress", "health", "wsgi"} & service.model_fields_set):
            if getattr(service, key):
                report.refuse(
                    where_of(override, name, (key,)), "needs a port", "add port, or remove this key"
                )
    if service.port is not None and not service.routes and service.ingress is not None:
        report.refuse(
            where_of(override, name, ("ingress",)), "has no routes", "add routes, or remove ingress"
        )


def _check_secrets(name: str, service: Service, override: Mapping[str, Any], report: Report) -> None:
    seen: set[str] = set()
    for number, secret in enumerate(service.secrets):
        where = where_of(override, name, ("secrets", number))
        if secret.name in seen:
            report.refuse(
                where, f"{shown(secret.name)} is listed twice", "remove one, or give it another name"
            )
        seen.add(secret.name)
        if secret.kind is not None and secret.public_of is not None:
            report.refuse(where, "has both kind and public_of", "remove kind; it is the other secret's")
