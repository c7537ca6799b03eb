"""The lab as one object: what the command line and the tests use."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lab import base, faults, inventory, keys, machine, network, registry, services, shell
from lab.errors import LabError
from lab.locks import host_lock, lab_lock
from lab.model import Host, Site
from lab.paths import PROJECT, disk_image
from lab.progress import Progress
from lab.registry import Record

DEFAULT_INVENTORY = PROJECT / "inventories" / "lab" / "hosts.yml"
WORLD = "world"
T = TypeVar("T")


class Lab:
    """A lab of booted hosts on this machine. There is one per machine; all objects speak of the same one.

    `inventories` name the hosts that `up` boots; every other method also knows hosts that earlier `up`s booted.
    """

    def __init__(self, inventories: Sequence[Path] = (), quiet: bool = False) -> None:
        self._paths = tuple(inventories) or (DEFAULT_INVENTORY,)
        self._progress = Progress(quiet)

    # --- what there is

    def inventories(self) -> list[inventory.Inventory]:
        """Read the inventories."""
        return [inventory.load(path) for path in self._paths]

    def hosts(self) -> list[str]:
        """Return the names of the inventories' hosts."""
        return [host.name for one in self.inventories() for host in one.hosts]

    def running(self, host: str) -> bool:
        """Say whether the host runs."""
        return machine.running(host)

    # --- life

    def up(self, *hosts: str) -> list[str]:
        """Boot the named hosts of the inventories (default: all) and wait until they answer SSH.

        Returns the names of those that did not run before.
        """
        found = self.inventories()
        wanted = _select([host for one in found for host in one.hosts], hosts)
        with lab_lock():
            records = self._prepare(found, wanted)
        started = [record for record in records if self._boot(record)]
        if started:
            self._progress.say(f"booting {len(started)} hosts")
        self._await([record.host for record in records], say=bool(started))
        self._progress.say(f"{len(records)} hosts answer SSH ({len(started)} booted)")
        return [record.name for record in started]

    def boot(self, host: str) -> None:
        """Boot a host with the disk that it has, and wait until it answers SSH."""
        record = registry.get(host)
        with lab_lock():
            self._ensure_shared([])
        self._boot(record)
        machine.await_answer(record.host)

    def stop(self, *hosts: str) -> None:
        """Shut hosts down in good order."""
        self._each(hosts, self._stop)

    def kill(self, host: str) -> None:
        """Let a host lose its power; what it wrote stays, synced or not."""
        with host_lock(host):
            machine.kill(registry.get(host).host)

    def reset(self, *hosts: str) -> None:
        """Give hosts (default: all of the inventories) fresh disks and boot them."""
        found = self.inventories()
        wanted = _select([host for one in found for host in one.hosts], hosts)
        _parallel(self._discard, wanted)
        self.up(*hosts)

    def power_loss(self, host: str) -> None:
        """Let a host lose its power together with everything that was not synced to its disk."""
        with host_lock(host):
            machine.lose_power(registry.get(host).host)

    def wait(self, host: str, seconds: float = 60) -> None:
        """Wait until a host answers SSH."""
        machine.await_answer(registry.get(host).host, seconds)

    # --- commands

    def run(
        self,
        host: str,
        command: machine.Command,
        *,
        user: str | None = None,
        stdin: str | None = None,
        timeout: float | None = 60,
        check: bool = True,
    ) -> shell.Result:
        """Run a command in a host, not over its network, so that it works through every cut.

        A string is run by the shell. Default user root; `timeout` in seconds; `check` raises LabError on failure.
        """
        return machine.run(host, command, user, stdin, timeout, check)

    def popen(
        self, host: str, command: machine.Command, *, user: str | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command in a host and return it as it runs; `options` go to subprocess.Popen (output: pipe)."""
        settings: dict[str, Any] = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(machine.inside(host, command, user), **settings)

    # --- cuts

    def cut(self, site: str) -> None:
        """Cut a site from the other sites of the platform; users still reach it."""
        faults.cut(self._site(site), WORLD)

    def cut_link(self, one: str, other: str) -> None:
        """Cut the link between two sites, both ways."""
        faults.cut_link(self._site(one), self._site(other))

    def blackout(self, site: str) -> None:
        """Cut a site from everyone, users too."""
        faults.blackout(self._site(site))

    def isolate(self, host: str) -> None:
        """Cut a host from everyone, also inside its site."""
        faults.isolate(registry.get(host).host)

    def heal(self) -> None:
        """Undo every cut."""
        faults.heal()

    # --- inner parts

    def _prepare(self, found: Iterable[inventory.Inventory], wanted: Sequence[Host]) -> list[Record]:
        sites = {site.name: site for one in found for site in one.sites}
        registry.refuse_conflicts(wanted)
        network.refuse_overlap(sites.values())
        network.ensure(sites.values())
        network.mark_platform_sites(site for site in sites.values() if site.name != WORLD)
        services.ensure_packages()
        current = base.ensure(self._progress, services.PROXY)
        for host in wanted:
            known = {record.name: record for record in registry.records()}.get(host.name)
            has_disk = disk_image(host.name).exists()
            registry.save(Record(host, known.base if known and has_disk else current))
        self._ensure_shared(sites.values())
        return [registry.get(host.name) for host in wanted]

    def _ensure_shared(self, sites: Iterable[Site]) -> None:
        """Bring network, DNS and known hosts in line with the hosts that the lab has."""
        hosts = [record.host for record in registry.records()]
        network.ensure({site.name: site for site in [*(host.site for host in hosts), *sites]}.values())
        services.ensure_packages()
        services.ensure_dns(hosts)
        keys.user_key()
        keys.write_known_hosts(hosts)

    def _boot(self, record: Record) -> bool:
        with host_lock(record.name):
            return machine.boot(record)

    def _stop(self, host: str) -> None:
        with host_lock(host):
            machine.stop(registry.get(host).host)

    def _discard(self, host: Host) -> None:
        with host_lock(host.name):
            machine.kill(host)
            disk_image(host.name).unlink(missing_ok=True)

    def _await(self, hosts: Iterable[Host], say: bool) -> None:
        def one(host: Host) -> None:
            machine.await_answer(host)
            if say:
                self._progress.say(f"  {host.name} answers at {host.address}")

        _parallel(one, hosts)

    def _each(self, hosts: Sequence[str], action: Callable[[str], None]) -> None:
        _parallel(action, [registry.get(host).name for host in hosts])

    def _site(self, name: str) -> Site:
        sites = {record.host.site.name: record.host.site for record in registry.records()}
        if name not in sites:
            raise LabError(f"the lab has no site {name} (it has: {', '.join(sorted(sites))})", "name one of them")
        return sites[name]


def _select(hosts: Sequence[Host], names: Sequence[str]) -> list[Host]:
    known = {host.name: host for host in hosts}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LabError(
            f"no host {', '.join(unknown)} in the inventory (it has: {', '.join(known)})",
            "choose one of them, or name its inventory with -i",
        )
    return [known[name] for name in names] if names else list(hosts)


def _parallel(action: Callable[[T], None], items: Iterable[T]) -> None:
    """Do it for all at once; when some fail, the first error is raised after all have ended."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        futures = [pool.submit(action, item) for item in items]
    for future in futures:
        future.result()
