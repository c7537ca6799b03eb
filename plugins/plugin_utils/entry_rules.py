# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What one entry of the catalog may say alone: its name, and keys that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import names
from .autoscale_rules import check_autoscale
from .catalog import Service, default_database
from .parts import OF_PARENT_ONLY
from .problems import Report, shown

Where = Callable[..., str]  # the key, as a person finds it, of a path below the entry

OF_SERVING = ("cache", "health", "ingress", "routes", "wsgi")  # keys that need a port
VALKEYS_OWN_USER = "default"
OF_TIMERS = ("missed", "run_on", "timeout")


def check_name(name: str, is_part: bool, report: Report) -> None:
    """Refuse names that Unix users and units can't have."""
    where = f"services.{name}"
    longest = names.PART_NAME_LENGTH if is_part else names.SERVICE_NAME_LENGTH
    if not names.SERVICE_NAME.fullmatch(name):
        report.refuse(where, f"{shown(name)} is not a DNS label", "use a-z, 0-9 and -, a letter first")
    if len(name) > longest:
        report.refuse(
            where,
            f"the name has {len(name)} characters",
            f"use at most {longest}; the Unix user and the units are named after it",
        )
    if name in names.RESERVED_SERVICE_NAMES or name.startswith("systemd-"):
        report.refuse(
            where, f"{shown(name)} is the name of a unit of the host or the platform", "choose another name"
        )


def check_entry(name: str, service: Service, written: Any, where: Where, report: Report) -> None:
    """Refuse keys that contradict each other. ``written`` is the entry without what a part takes over."""
    if service.part_of is not None:
        if _check_part(service, written, where, report):
            return
    else:
        _check_service(name, service, where, report)
    _check_schedule(service, where, report)
    check_autoscale(service, where, report)
    _check_events(name, service, where, report)
    _check_secrets(service, where, report)
    if service.valkey and (service.part_of or name) == VALKEYS_OWN_USER:
        report.refuse(
            where("valkey"),
            f"{VALKEYS_OWN_USER} is Valkey's own user, which nobody may be",
            "give the service another name, or remove valkey",
        )


def _check_part(service: Service, written: Mapping[str, Any], where: Where, report: Report) -> bool:
    """Refuse what only a service can have; tell whether there was any."""
    before = len(report.problems)
    if "app" in written:
        report.refuse(
            where("app"),
            f"stands beside part_of: a part runs the release of {service.part_of}",
            "remove app; another app is a service of its own",
        )
    for key in ("port", *OF_SERVING, "threads"):
        if written.get(key):
            report.refuse(
                where(key),
                f"stands beside part_of: users and other services reach {service.part_of} alone",
                f"remove {key}, or make it a service of its own",
            )
    own = written.get("database")
    for key in OF_PARENT_ONLY:
        if isinstance(own, Mapping) and key in own:
            report.refuse(
                where("database", key),
                f"is said by {service.part_of}, whose database it is",
                "remove it; a part can only have a pool of its own",
            )
    if isinstance(own, Mapping) and service.database is not None and service.database.name is None:
        report.refuse(
            where("database"),
            f"{service.part_of} has no database",
            f"remove it, or add database to {service.part_of}",
        )
    if service.command is None:
        report.refuse(where(), "has no command", "add the command of this process")
    return len(report.problems) > before


def _check_service(name: str, service: Service, where: Where, report: Report) -> None:
    if service.database and not service.database.name and names.is_reserved_database(default_database(name)):
        report.refuse(
            where("database"),
            f"{shown(default_database(name))} belongs to Postgres or the platform",
            "give the database a name",
        )
    if service.port is None and service.command is None:
        report.refuse(
            where(), "has neither port nor command", "a web service needs a port, a worker a command"
        )
    if service.command is not None and service.wsgi is not None:
        report.refuse(where("wsgi"), "stands beside command", "keep one of the two: command or wsgi")
    if service.command is not None and service.threads is not None:
        report.refuse(where("threads"), "is gunicorn's and stands beside command", "remove threads")
    if service.port is None:
        for key in OF_SERVING:
            if getattr(service, key):
                report.refuse(where(key), "needs a port", "add port, or remove this key")
    if service.port is not None and not service.routes and service.ingress is not None:
        report.refuse(where("ingress"), "has no routes", "add routes, or remove ingress")


def _check_schedule(service: Service, where: Where, report: Report) -> None:
    """Refuse keys of timers without a schedule, and what a timer can't have."""
    if service.schedule is None:
        for key in OF_TIMERS:
            if getattr(service, key) is not None:
                report.refuse(where(key), "needs a schedule", "add schedule, or remove this key")
        return
    reasons = {
        "port": "a timer serves no requests",
        "instances": "a timer has one run at a time on a host",
        "consumes": "a timer ends, and its queue would fill",
        "restart": "a timer runs again when its schedule says so",
        "manager": "a timer is systemd's",
    }
    for key, reason in reasons.items():
        if key in service.model_fields_set and getattr(service, key) not in ({}, "no", "systemd"):
            report.refuse(
                where(key),
                f"stands beside schedule: {reason}",
                f"remove {key}, or make it an entry of its own",
            )


def _check_events(name: str, service: Service, where: Where, report: Report) -> None:
    """Refuse events without the database that keeps them, and consumers that can't consume."""
    for key, use in (("publishes", "events wait"), ("consumes", "what was consumed is recorded")):
        if getattr(service, key) and service.database is None:
            report.refuse(where(key), f"needs a database, in which {use}", "add database, or remove this key")
    if service.consumes and service.serves_wsgi:
        report.refuse(
            where("consumes"),
            "stands beside a port: gunicorn serves requests and consumes nothing",
            f"move it to an entry {name}-events with part_of: {name} and the command that consumes",
        )
    twice = [event for number, event in enumerate(service.publishes) if event in service.publishes[:number]]
    if twice:
        number = len(service.publishes) - 1 - service.publishes[::-1].index(twice[0])
        report.refuse(where("publishes", number), f"{shown(twice[0])} is listed twice", "remove one")


def _check_secrets(service: Service, where: Where, report: Report) -> None:
    seen: set[str] = set()
    for number, secret in enumerate(service.secrets):
        key = where("secrets", number)
        if secret.name in seen:
            report.refuse(key, f"{shown(secret.name)} is listed twice", "remove one, or give it another name")
        seen.add(secret.name)
        if secret.kind is not None and secret.public_of is not None:
            report.refuse(key, "has both kind and public_of", "remove kind; it is the other secret's")
