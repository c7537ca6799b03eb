"""What all hosts share, made in the order in which one part needs the other. Call with the lab's lock held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab import base, checks, keys, leftovers, machine, network, registry, services, settings
from lab.errors import LabError
from lab.inventory import Inventory
from lab.model import Host, Site
from lab.paths import disk_image
from lab.progress import Progress
from lab.registry import Record

WORLD = "world"
"""The site of the users: no site of the platform, so that a cut between sites spares it."""


def prepare(found: Iterable[Inventory], wanted: Sequence[Host], progress: Progress) -> list[Record]:
    """Make everything that the wanted hosts need before they can boot, and return their records."""
    registry.refuse_conflicts(wanted)
    sites = [site for inventory in found for site in inventory.sites]
    ensure(sites, [host for host in wanted if not disk_image(host.name).exists()])
    current = base.ensure(progress, services.PROXY)
    known = {record.name: record for record in registry.records()}
    for host in wanted:
        registry.save(_record(host, known.get(host.name), current))
    ensure_names()
    return [registry.get(host.name) for host in wanted]


def ensure(sites: Iterable[Site], new: Sequence[Host] = ()) -> None:
    """Check the machine, clear what a dead lab left, and make network and package cache as far as needed.

    `new` are the hosts that have no disk yet.
    """
    wanted = {site.name: site for site in [*(record.host.site for record in registry.records()), *sites]}
    if not leftovers.alive():
        checks.all_of_them(len(new))
        network.refuse_overlap(wanted.values())
        leftovers.clear()
    elif not network.exists():
        raise LabError("hosts run, but their network is gone", "./lab/lab down, then up: disks stay")
    checks.space(len(new))
    network.refuse_foreign()
    settings.apply()
    network.ensure(wanted.values())
    network.mark_platform_sites(site for site in wanted.values() if site.name != WORLD)
    services.ensure_packages()


def ensure_names() -> None:
    """Tell DNS and SSH about all hosts that the lab has."""
    hosts = [record.host for record in registry.records()]
    services.ensure_dns(hosts)
    keys.user_key()
    keys.write_known_hosts(hosts)


def _record(host: Host, before: Record | None, current: str) -> Record:
    """Return the host's new record. A disk stays on the base it was made on; a fresh one takes the current."""
    if before and before.host != host and machine.running(host.name):
        raise LabError(
            f"the inventory changed {host.name} while it runs", f"./lab/lab stop {host.name}, then up"
        )
    keeps_disk = before is not None and disk_image(host.name).exists()
    return Record(host, before.base if before and keeps_disk else current)
