# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Who votes, and where: an odd number of voters, no two in one site."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from .inventory import Inventory
from .problems import Report, counted, listing
from .settings import Platform, PostgresSettings

# From this version on pg_auto_failover promotes the right one of several standbys (upstream change 1161).
THIRD_NODE_VERSION = (2, 3)


def check_voters(what: str, where: str, voters: Mapping[str, str], report: Report) -> None:
    """Refuse voters (host by site) of which the loss of one site or a tie could stop or split the quorum."""
    by_site: dict[str, list[str]] = defaultdict(list)
    for host, site in voters.items():
        by_site[site].append(host)
    for site, hosts in sorted(by_site.items()):
        if len(hosts) > 1:
            report.refuse(
                where,
                f"{what} has {len(hosts)} voters in site {site} ({listing(hosts)}), lost together with it",
                "keep one voter per site",
            )
    if len(voters) % 2 == 0:
        report.refuse(
            where,
            f"{what} has {len(voters)} voters ({listing(voters)}), an even number; half is no majority",
            "add or remove one, so that every site has one",
        )


def check_postgres(inventory: Inventory, platform: Platform, report: Report) -> None:
    """Refuse all but one topology: a data node in each of two datacenters, a monitor on the witness."""
    data, witness = inventory.names_of("data"), inventory.names_of("witness")
    if len(witness) != 1:
        report.refuse(
            "group witness",
            f"has {counted(len(witness), 'host')} ({listing(witness)})",
            "name one host on the witness site: it runs the one Postgres monitor",
        )
    if len(data) < 2:
        report.refuse(
            "group data",
            f"has {counted(len(data), 'host')} ({listing(data)})",
            "name two hosts, one in each of two datacenters: every commit is on both",
        )
    if len(data) > 2:
        refuse_third_node(data, platform.postgres, report)
    voters = {host.name: host.site for host in inventory.of("data", "witness")}
    if len(data) == 2 and len(witness) == 1 and len(voters) == 3:
        check_voters("Postgres", "group data", voters, report)


def refuse_third_node(nodes: list[str], settings: PostgresSettings, report: Report) -> None:
    """Refuse more than two data nodes, with the reason of the installed pg_auto_failover."""
    version = tuple(int(part) for part in settings.failover_version.split("."))
    found = f"has {len(nodes)} hosts ({listing(nodes)})"
    if version < THIRD_NODE_VERSION:
        report.refuse(
            "group data",
            f"{found}; with three, a failover of pg_auto_failover {settings.failover_version} can crash "
            "and leave a fork of the data (corrected after 2.2)",
            "keep two, one per datacenter",
        )
        return
    report.refuse(
        "group data",
        f"{found}; more than two were not tested with pg_auto_failover {settings.failover_version}",
        "keep two, one per datacenter",
    )
