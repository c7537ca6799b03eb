# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of services: entries that are one more process of another one, and take from it what they do not say.

Works on the entries as they were written, so that a part is read, and refused, like any other entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .names import RELAY_SUFFIX
from .problems import Report, did_you_mean, listing, shown

# Keys whose value is the parent's unless the part has its own.
INHERITED = (
    *("app", "calls", "env_file", "hosts", "limits", "logging", "publishes", "secrets", "valkey", "volumes"),
)
FROM_PARENT = frozenset({*INHERITED, "database", "environment"})  # the last two are merged
OF_PARENT_ONLY = ("init", "init_command", "migrate", "name")  # what a part can't say of the database
RELAY_POOL = 2  # one connection reads and marks, one holds the lock that makes this relay the active one

Entries = Mapping[str, Any]
Where = Callable[..., str]


def declared_parents(entries: Entries) -> dict[str, Any]:
    """Return what each entry with ``part_of`` says there."""
    return {
        name: entry["part_of"]
        for name, entry in entries.items()
        if isinstance(entry, Mapping) and entry.get("part_of") is not None
    }


def read_parents(entries: Entries, where: Where, report: Report) -> dict[str, str]:
    """Return the parents by part; what names no parent is reported and left out."""
    declared = declared_parents(entries)
    known = [name for name in entries if name not in declared]
    parents: dict[str, str] = {}
    for name, parent in declared.items():
        if not isinstance(parent, str):
            continue  # the model says so
        key = where(name, "part_of")
        if parent == name:
            report.refuse(key, f"{shown(parent)} is the entry itself", "name the service that it belongs to")
        elif parent in declared:
            report.refuse(key, f"{parent} is itself part of {declared[parent]}", f"write {declared[parent]}")
        elif parent not in entries:
            cure = did_you_mean(parent, known, f"write one of {listing(known)}")
            report.refuse(key, f"{shown(parent)} is not in the catalog", cure)
        else:
            parents[name] = parent
    return parents


def completed_part(entry: Mapping[str, Any], parent_name: str, parent: Any) -> dict[str, Any]:
    """Return a part's entry with all that it takes from its parent."""
    if not isinstance(parent, Mapping):
        return dict(entry)
    result = {key: parent[key] for key in INHERITED if key in parent} | dict(entry)
    environments = [source.get("environment") for source in (parent, entry)]
    if isinstance(environments[0], Mapping) and isinstance(environments[1], Mapping | None):
        result["environment"] = {**environments[0], **(environments[1] or {})}
    database = parent.get("database")
    if isinstance(database, Mapping):
        own = entry.get("database", {})
        if isinstance(own, Mapping):
            kept = {key: database[key] for key in ("name", "pool") if key in database}
            name = {"name": kept.get("name") or parent_name.replace("-", "_")}
            result["database"] = (
                kept | {key: value for key, value in own.items() if key not in OF_PARENT_ONLY} | name
            )
    return result


def relays(entries: Entries, parents: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the entries of the relays that the catalog does not have itself.

    Each service that publishes gets one: it sends the events that the service left in its database. Its command
    is the console script of the service's migrations, of its own command, or the service's name.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        if name in parents or not isinstance(entry, Mapping):
            continue
        publishes = isinstance(entry.get("publishes"), list) and entry["publishes"]
        if publishes and isinstance(entry.get("database"), Mapping) and name + RELAY_SUFFIX not in entries:
            found[name + RELAY_SUFFIX] = {
                "part_of": name,
                "command": [_console_script(name, entry), "relay"],
                "database": {"pool": RELAY_POOL},
                "valkey": False,
            }
    return found


def _console_script(name: str, entry: Mapping[str, Any]) -> str:
    for command in (entry["database"].get("migrate"), entry.get("command")):
        if isinstance(command, list) and command and isinstance(command[0], str) and "/" not in command[0]:
            return command[0]
    return name
