# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the catalog: the merge of its two files, every entry's model, and what an entry may say alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .catalog import Service, completed
from .entry_rules import check_entry, check_name
from .merge import contains, merged
from .parts import FROM_PARENT, completed_part, declared_parents, read_parents, relays
from .problems import Report, shown
from .schema import read

FIRST, SECOND = "services", "services_override"
SHARED_PREFIX = "x-"  # entries that exist to carry YAML anchors


@dataclass(frozen=True)
class Sources:
    """Where the values of entries were written.

    ``entries``: as they were written, both files merged, and the derived ones; ``parents``: of parts.
    """

    entries: Mapping[str, Any]
    override: Mapping[str, Any]
    parents: Mapping[str, str]

    def where(self, service: str, *path: str | int) -> str:
        """Return the key as a person finds it: of the entry and below the file that gave it its value.

        ``services.NAME.path``, or ``services_override.NAME.path`` where the override has that key; what a part
        takes from its parent is the parent's key.
        """
        taken = path and path[0] in FROM_PARENT and not contains(self.entries[service], path)
        if service in self.parents and taken:
            service = self.parents[service]
        root = SECOND if path and contains(self.override, (service, *path)) else FIRST
        text = f"{root}.{service}"
        for part in path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text


@dataclass(frozen=True)
class Catalog:
    """The merged catalog, in its order, with the relays that are derived at its end.

    ``services``: the entries by name, parts with all that they take from their parents. ``entries``: those and,
    without their wrong keys, the ones that rules between entries must not see. ``names``: also of entries that
    can't be read at all.
    """

    services: Mapping[str, Service]
    entries: Mapping[str, Service]
    names: frozenset[str]
    sources: Sources

    def where(self, service: str, *path: str | int) -> str:
        """Return the key as a person finds it."""
        return self.sources.where(service, *path)

    def service_of(self, name: str) -> str:
        """Return the service to which an entry belongs: its parent, or the entry itself."""
        return self.sources.parents.get(name, name)

    def processes(self, service: str) -> dict[str, Service]:
        """Return a service's own entry and those of its parts."""
        return {name: entry for name, entry in self.services.items() if self.service_of(name) == service}

    def secret_kinds(self) -> dict[str, str]:
        """Return the kinds of all secrets that are made, by ``SERVICE/SECRET``; a part's are its parent's."""
        return {
            f"{self.service_of(name)}/{secret.name}": secret.kind or "random"
            for name, service in self.services.items()
            for secret in service.secrets
            if secret.public_of is None
        }


def read_catalog(first: Any, second: Any, report: Report) -> Catalog:
    """Merge and read ``services`` and ``services_override``; what can't be read is reported and left out."""
    base, override = _mapping(FIRST, first, report), _mapping(SECOND, second, report)
    written = {str(key): value for key, value in merged(base, override).items() if _is_entry(key)}
    declared = declared_parents(written)
    parents = read_parents(written, Sources(written, override, {}).where, report)
    derived = relays(written, declared)
    parents |= {name: entry["part_of"] for name, entry in derived.items()}
    sources = Sources(written | derived, override, parents)
    services: dict[str, Service] = {}
    partial_entries: dict[str, Service] = {}
    for name in written:
        check_name(name, name in declared, report)
    for name in sources.entries:
        service, sound = _read_entry(name, sources, report)
        if service is not None:
            (services if sound else partial_entries)[name] = service
    _keep_families(services, partial_entries, parents)
    return Catalog(services, services | partial_entries, frozenset(sources.entries), sources)


def _keep_families(
    services: dict[str, Service], partial_entries: dict[str, Service], parents: Mapping[str, str]
) -> None:
    """Take parts away from rules between entries when these must not see the parent."""
    for name, parent in parents.items():
        if name in services and parent not in services:
            partial_entries[name] = services.pop(name)


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
INDISPENSABLE = frozenset({"consumes", "ingress", "port", "publishes", "secrets"})
# Stand in for wrong values of required keys; no rule objects to them.
STAND_INS = {"app": "unknown==0", "hosts": ""}


def _read_entry(name: str, sources: Sources, report: Report) -> tuple[Service | None, bool]:
    """Return the entry, without its wrong keys, and whether rules between entries may see it."""
    entry, parent = sources.entries[name], sources.parents.get(name)
    orphan = parent is None and name in declared_parents(sources.entries)
    if parent is not None:
        entry = completed_part(entry, parent, sources.entries[parent])
    elif orphan:
        entry = STAND_INS | dict(entry)
    where = partial(sources.where, name)
    service, problems = read(Service, entry, f"{FIRST}.{name}")
    for location, problem in problems:
        path = tuple(part for part in location if part != "[key]")
        report.refuse(where(*path), problem.what, problem.cure)
    if orphan:
        return None, False
    if service is None:
        failing = {str(location[0]) for location, _ in problems if location}
        return _salvaged(name, entry, failing), not failing & INDISPENSABLE
    before = len(report.problems)
    check_entry(name, service, sources.entries[name], where, report)
    return completed(name, service), len(report.problems) == before


def _salvaged(name: str, entry: Any, failing: set[str]) -> Service | None:
    if not isinstance(entry, Mapping):
        return None
    sound = {key: value for key, value in entry.items() if key not in failing}
    stand_ins = {key: value for key, value in STAND_INS.items() if key in failing}
    service, _ = read(Service, sound | stand_ins, name)
    return completed(name, service) if service is not None else None
