"""The lab as one object: what the command line and the tests use."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import (
    checks,
    environment,
    facts,
    faults,
    inventory,
    leftovers,
    machine,
    network,
    registry,
    shared,
    shell,
    snapshots,
)
from lab.errors import LabError
from lab.locks import host_lock, lab_lock
from lab.model import Host, Site
from lab.parallel import parallel
from lab.paths import PROJECT, RUN, STORE, cache, disk_image
from lab.progress import Progress
from lab.registry import Record
from lab.shared import WORLD

DEFAULT_INVENTORY = PROJECT / "inventories" / "lab" / "hosts.yml"


@dataclass(frozen=True)
class State:
    """What a host is doing. `disk` is what its disk takes, in bytes."""

    running: bool
    answers: bool
    address: str
    site: str
    disk: int


class Lab:
    """A lab of booted hosts on this machine. There is one per machine; all objects speak of the same one.

    `inventories` name the hosts that `up`, `reset`, `status`, `save` and `env` are about; every other method
    also knows the hosts that an earlier `up` booted from other inventories.
    """

    def __init__(self, inventories: Sequence[Path] = (), quiet: bool = False) -> None:
        self._paths = tuple(inventories) or (DEFAULT_INVENTORY,)
        self._progress = Progress(quiet)
        checks.find_system_programs()

    # --- what there is

    def inventories(self) -> list[inventory.Inventory]:
        """Read the inventories."""
        return [inventory.load(Path(path)) for path in self._paths]

    def env(self) -> dict[str, Any]:
        """Return what tests and users need to know, as plain data: see lab/README.md."""
        return environment.describe(self.inventories(), WORLD)

    def status(self) -> dict[str, State]:
        """Return the state of every host of the inventories."""
        hosts = self._listed()
        with ThreadPoolExecutor(max_workers=32) as pool:
            return dict(zip((host.name for host in hosts), pool.map(_state, hosts), strict=True))

    def running(self, host: str) -> bool:
        """Say whether the host runs."""
        return machine.running(host)

    def cuts(self) -> list[str]:
        """Return the present cuts as the commands that make them."""
        return faults.describe() if network.exists() else []

    # --- life of the lab

    def up(self, *hosts: str) -> list[str]:
        """Boot the named hosts of the inventories (default: all) and wait until they answer SSH.

        Returns the names of those that did not run before.
        """
        found = self.inventories()
        wanted = _select([host for one in found for host in one.hosts], hosts)
        checks.root()
        with lab_lock():
            records = shared.prepare(found, wanted, self._progress)
        return self._boot_all(records)

    def down(self) -> None:
        """Stop every host and take away all that the lab brought to this machine, but disks and snapshots."""
        checks.root()
        with lab_lock():
            names = [record.name for record in registry.records() if machine.running(record.name)]
            if names:
                self._progress.say(f"stopping {len(names)} hosts")
            parallel(self._stop_or_kill, names)
            leftovers.clear()
            shutil.rmtree(RUN, ignore_errors=True)
        self._progress.say("the lab is down")

    def clean(self, everything: bool = False) -> None:
        """Take the lab down and remove its disks and snapshots; `everything`: base, packages and key, too."""
        self.down()
        shutil.rmtree(STORE, ignore_errors=True)
        if everything:
            shutil.rmtree(cache(), ignore_errors=True)

    def reset(self, *hosts: str) -> list[str]:
        """Boot the named hosts of the inventories (default: all) with fresh disks. Returns their names."""
        wanted = _select(self._listed(), hosts)
        checks.root()
        parallel(self._discard, wanted)
        return self.up(*(host.name for host in wanted))

    def save(self, name: str) -> None:
        """Keep the disks of the inventories' hosts under a name; hosts that run are booted again."""
        snapshots.folder(name)
        with lab_lock():
            known = [registry.get(host.name) for host in self._listed() if disk_image(host.name).exists()]
            if not known:
                raise LabError("there is no disk to save", "./lab/lab up")
            running = [record for record in known if machine.running(record.name)]
            self._progress.say(f"stopping {len(running)} hosts")
            parallel(machine.trim, [record.host for record in running])
            parallel(self._stop, [record.name for record in running])
            self._progress.say(f"copying {len(known)} disks")
            snapshots.store(name, [record.name for record in known])
        self._boot_all(running)

    def load(self, name: str) -> None:
        """Bring the disks of a snapshot back and boot its hosts."""
        names = snapshots.hosts(name)
        with lab_lock():
            known = {record.name: record.host for record in registry.records()}
            parallel(self._discard, [known[host] for host in names if host in known])
            self._progress.say(f"copying {len(names)} disks")
            snapshots.bring_back(name)
            records = [registry.get(host) for host in names]
            shared.ensure(record.host.site for record in records)
            shared.ensure_names()
        self._boot_all(records)

    # --- life of a host

    def boot(self, host: str) -> None:
        """Boot a host with the disk that it has, and wait until it answers SSH."""
        record = registry.get(host)
        checks.root()
        with lab_lock():
            shared.ensure([record.host.site])
            shared.ensure_names()
        self._boot(record)
        machine.await_answer(record.host)

    def wait(self, host: str, seconds: float = machine.ANSWER_SECONDS) -> None:
        """Wait until a host answers SSH."""
        machine.await_answer(registry.get(host).host, seconds)

    def stop(self, *hosts: str) -> None:
        """Shut hosts down in good order; those of the inventories that were never booted are down already."""
        known = {record.name for record in registry.records()}
        never_booted = {host.name for host in self._listed()} - known
        parallel(self._stop, [registry.get(host).name for host in hosts if host not in never_booted])

    def kill(self, host: str) -> None:
        """Let a host lose its power; what it wrote stays, synced or not."""
        with host_lock(host):
            machine.kill(self._running_host(host))

    def power_loss(self, host: str) -> None:
        """Let a host lose its power together with everything that was not synced to its disk."""
        with host_lock(host):
            machine.lose_power(self._running_host(host))

    def forget(self, *hosts: str) -> None:
        """Stop hosts and remove their disks, as if they had never been booted."""
        for host in hosts:
            self._discard(registry.get(host).host)
            with lab_lock():
                registry.forget(host)
        if network.exists():
            with lab_lock():
                shared.ensure_names()

    # --- commands in hosts

    def run(
        self,
        host: str,
        command: machine.Command,
        *,
        user: str | None = None,
        input: str | None = None,
        timeout: float | None = 60,
        check: bool = False,
    ) -> shell.Result:
        """Run a command in a host, not over its network, so that it works through every cut.

        A string is run by the shell, a sequence as it is. Default user: root. `timeout` is in seconds. Raises
        LabError when the host does not run, subprocess.TimeoutExpired, and, with `check`, CalledProcessError.
        """
        words = machine.inside(host, command, user)
        return subprocess.run(
            words, input=input, timeout=timeout, check=check, text=True, capture_output=True
        )

    def popen(
        self, host: str, command: machine.Command, *, user: str | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command in a host and return it at once; `options` go to subprocess.Popen."""
        settings: dict[str, Any] = {
            "text": True,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
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

    def _listed(self) -> list[Host]:
        return [host for one in self.inventories() for host in one.hosts]

    def _boot_all(self, records: Sequence[Record]) -> list[str]:
        started = [record.name for record in records if self._boot(record)]
        if started:
            self._progress.say(f"booting {len(started)} hosts")

        def one(record: Record) -> None:
            machine.await_answer(record.host)
            if record.name in started:
                self._progress.say(f"  {record.name} answers at {record.host.address}")

        parallel(one, records)
        self._progress.say(f"{len(records)} hosts answer SSH ({len(started)} booted)")
        return started

    def _boot(self, record: Record) -> bool:
        with host_lock(record.name):
            return machine.boot(record)

    def _stop(self, host: str) -> None:
        with host_lock(host):
            machine.stop(registry.get(host).host)

    def _stop_or_kill(self, host: str) -> None:
        with suppress(LabError):  # it has been killed then, which is as good when everything ends
            self._stop(host)

    def _discard(self, host: Host) -> None:
        with host_lock(host.name):
            machine.kill(host)
            disk_image(host.name).unlink(missing_ok=True)
            facts.forget(host.name)

    def _running_host(self, name: str) -> Host:
        record = registry.get(name)
        if not machine.running(name):
            raise LabError(f"{name} does not run", f"./lab/lab boot {name}")
        return record.host

    def _site(self, name: str) -> Site:
        sites = {record.host.site.name: record.host.site for record in registry.records()}
        if name not in sites:
            raise LabError(
                f"the lab has no site {name} (it has: {', '.join(sorted(sites))})", "name one of them"
            )
        return sites[name]


def _state(host: Host) -> State:
    image = disk_image(host.name)
    taken = image.stat().st_blocks * 512 if image.exists() else 0
    running = machine.running(host.name)
    return State(running, running and machine.answers(host), str(host.address), host.site.name, taken)


def _select(hosts: Sequence[Host], names: Sequence[str]) -> list[Host]:
    known = {host.name: host for host in hosts}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise LabError(
            f"no host {', '.join(unknown)} in the inventory (it has: {', '.join(known)})",
            "choose one of them, or name its inventory with -i",
        )
    return [known[name] for name in names] if names else list(hosts)
