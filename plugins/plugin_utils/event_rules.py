# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between publishers and consumers of events, and between a service and its relay."""

from __future__ import annotations

from .names import RELAY_SUFFIX
from .problems import Report, did_you_mean, listing, shown
from .services import Catalog


def check_events(catalog: Catalog, report: Report) -> None:
    """Refuse events without exactly one publisher and a consumer, and a relay that is somebody else."""
    check_relays(catalog, report)
    # An entry that can't be read may publish or consume; only its own problems are reported then.
    if set(catalog.services) != catalog.names:
        return
    publishers = check_publishers(catalog, report)
    check_consumers(catalog, publishers, report)


def check_publishers(catalog: Catalog, report: Report) -> dict[str, str]:
    """Refuse an event of two services, and of a part alone; return the service by event."""
    publishers: dict[str, str] = {}
    for name, entry in catalog.services.items():
        service = catalog.service_of(name)
        known = catalog.services[service].publishes
        for number, event in enumerate(entry.publishes):
            where = catalog.where(name, "publishes", number)
            if event not in known:
                report.refuse(
                    where,
                    f"{shown(event)} is none of the events that {service} publishes ({listing(known)})",
                    f"write it in publishes of {service}; a part publishes for its service",
                )
            elif publishers.setdefault(event, service) != service:
                report.refuse(
                    where,
                    f"{shown(event)} is published by {publishers[event]} already",
                    "give it another name; others learn from one service that something happened",
                )
    return publishers


def check_consumers(catalog: Catalog, publishers: dict[str, str], report: Report) -> None:
    """Refuse consumers of what nobody publishes, two in one service, and events that nobody consumes."""
    consumers: dict[tuple[str, str], str] = {}
    for name, entry in catalog.services.items():
        service = catalog.service_of(name)
        for event in entry.consumes:
            where = catalog.where(name, "consumes", event)
            if event not in publishers:
                cure = did_you_mean(event, publishers, f"write one of {listing(publishers)}")
                report.refuse(where, f"nobody publishes {shown(event)}", cure)
            elif (first := consumers.setdefault((service, event), name)) != name:
                report.refuse(
                    where,
                    f"{shown(event)} is consumed by {first}, for the same service {service}",
                    "keep one of the two: a service has one queue for an event",
                )
    consumed = {event for _, event in consumers}
    for event, service in publishers.items():
        if event not in consumed:
            number = catalog.services[service].publishes.index(event)
            report.refuse(
                catalog.where(service, "publishes", number),
                f"nobody consumes {shown(event)}, so it could not be delivered and would stay in the outbox",
                "add a consumer, or remove it",
            )


def check_relays(catalog: Catalog, report: Report) -> None:
    """Refuse an entry that has the name of a relay and belongs to another service, or to none."""
    for name, entry in catalog.services.items():
        relay = name + RELAY_SUFFIX
        sends = entry.publishes and not entry.part_of and relay in catalog.services
        if sends and catalog.service_of(relay) != name:
            report.refuse(
                catalog.where(relay, "part_of"),
                f"{relay} has the name of the process that sends the events of {name}",
                f"write part_of: {name}, or choose another name",
            )
