# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Instances of services under supervisord. Knows nothing of Ansible.

Each revision of a service has a supervisord of its own, which is a systemd unit with the revision's environment,
credentials, limits and sandbox, and ends when nothing runs by it any more:

    /etc/systemd/system/<service>@supervisord-<revision>.service        the unit
    /etc/tandem/services/<service>/programs/<revision>/<n>.conf         link to the revision's program of instance n:
                                                                        there it runs, and starts with the host
    /run/tandem-<service>-<revision>/supervisor.sock                    XML-RPC

An instance goes to another revision by going from one supervisord to the other.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import service_host, supervisord_rpc
from .instances_systemd import Instance, Systemd, SystemdError, Target, read_text, write
from .supervisord_rpc import ALREADY_STARTED, NOT_RUNNING, SPAWN_ERROR, RpcError

RUNTIME = Path("/run")
PROPERTIES = ("Id", "ActiveState", "SubState", "Result", "UnitFileState", "NRestarts")
UNIT = re.compile(r"@supervisord-([0-9a-f]+)\.service$")
ANSWER_SECONDS = 15.0
POLL_SECONDS = 0.2
# What supervisord calls a program's state, in systemd's words (active, sub).
STATES = {
    "STARTING": ("activating", "starting"),
    "RUNNING": ("active", "running"),
    "BACKOFF": ("activating", "backoff"),
    "STOPPING": ("deactivating", "stopping"),
    "STOPPED": ("inactive", "stopped"),
    "EXITED": ("inactive", "exited"),
}
FATAL = ("failed", "fatal")


class SupervisordError(SystemdError):
    """A supervisord refused or does not answer; the message says which, and what to do."""


@dataclass(frozen=True)
class _Unit:
    """A supervisord as systemd shows it."""

    active: str = "inactive"
    sub: str = "dead"
    result: str = ""
    enabled: bool = False
    restarts: int = 0

    @property
    def up(self) -> bool:
        return self.active == "active"


class Supervisord:
    """The supervisords of this host; a `Manager` of instances."""

    name = "supervisord"

    def __init__(self, systemd: Systemd) -> None:
        self.systemd = systemd

    # -- looking ---------------------------------------------------------------------------------------

    def instances(self, services: Sequence[str], counts: dict[str, int]) -> dict[str, list[Instance]]:
        """Return the instances of services: those that exist in any way, and those up to the given counts."""
        units = self._units(services)
        return {service: self._of(service, units, counts.get(service, 0)) for service in services}

    def instance(self, service: str, number: int) -> Instance:
        """Return one instance as it is now."""
        found = self.instances([service], {service: number})[service]
        return next(item for item in found if item.number == number)

    def _of(self, service: str, units: dict[str, _Unit], count: int) -> list[Instance]:
        found = {n: Instance(service, n, manager=self.name) for n in range(1, count + 1)}
        links = self._links(service)
        for number, revision in links.items():
            unit = units.get(unit_name(service, revision), _Unit())
            # Without a word of its supervisord: that is not up, or not yet.
            active, sub = ("activating", "supervisord") if unit.up else (unit.active, unit.sub)
            found[number] = Instance(
                service,
                number,
                active,
                sub,
                unit.result,
                enabled=unit.enabled,
                restarts=unit.restarts,
                manager=self.name,
            )
        for revision in self._listed(service):
            unit = units.get(unit_name(service, revision), _Unit())
            for number, program in self._programs(service, revision).items() if unit.up else ():
                item = self._read(service, number, program)
                if links.get(number) == revision:
                    found[number] = replace(item, enabled=unit.enabled)
                elif item.running and not found.get(number, item).running:
                    found[number] = item
        return [found[number] for number in sorted(found)]

    def _read(self, service: str, number: int, program: dict[str, Any]) -> Instance:
        active, sub = STATES.get(program["statename"], FATAL)
        pid = int(program["pid"])
        since = time.strftime("%a %Y-%m-%d %H:%M:%S %Z", time.localtime(int(program["start"])))
        return Instance(
            service,
            number,
            active,
            sub,
            str(program["spawnerr"]),
            pid,
            self.systemd.revision(pid),
            since=since,
            can_reload=self._reloads(service, pid),
            manager=self.name,
        )

    def _reloads(self, service: str, pid: int) -> bool:
        """Tell whether a process is gunicorn, which loads anew at SIGHUP."""
        revision = self.systemd.revision(pid)
        return bool(revision) and (_revision_folder(service, revision) / "gunicorn.conf.py").exists()

    def _programs(self, service: str, revision: str) -> dict[int, dict[str, Any]]:
        """Return what a supervisord says of its programs by instance, {} when it says nothing."""
        try:
            return self._told(service, revision)
        except RpcError:
            return {}

    def _told(self, service: str, revision: str) -> dict[int, dict[str, Any]]:
        listed = supervisord_rpc.call(socket_path(service, revision), "getAllProcessInfo")
        found = {}
        for program in listed:
            name, _, number = str(program["name"]).rpartition("@")
            if name == service and number.isdecimal():
                found[int(number)] = program
        return found

    def _links(self, service: str) -> dict[int, str]:
        """Return by instance the revision whose supervisord runs it."""
        paths = _programs_folder(service).glob("*/*.conf")
        return {int(path.stem): path.parent.name for path in paths if path.stem.isdecimal()}

    def _listed(self, service: str) -> list[str]:
        """Return the revisions that have a supervisord."""
        paths = self.systemd.folder.glob(f"{service}@supervisord-*.service")
        return sorted(found[1] for path in paths if (found := UNIT.search(path.name)))

    def _units(self, services: Sequence[str]) -> dict[str, _Unit]:
        names = [unit_name(service, revision) for service in services for revision in self._listed(service)]
        if not names:
            return {}
        found = {}
        shown = self.systemd.call("show", f"--property={','.join(PROPERTIES)}", "--", *names)
        for block in shown.strip().split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            found[values["Id"]] = _Unit(
                values.get("ActiveState", "inactive"),
                values.get("SubState", "dead"),
                values.get("Result", ""),
                values.get("UnitFileState") == "enabled",
                int(values.get("NRestarts") or 0),
            )
        return found

    def installed(self, service: str, revision: str) -> str | None:
        """Return the text of a revision's unit as it is installed."""
        return read_text(self.systemd.folder / unit_name(service, revision))

    def origin(self, service: str, number: int, revision: str) -> str | None:
        """Return the revision that an instance starts by, None when it is this one or there is none."""
        found = self._links(service).get(number)
        return None if found == revision else found

    def revisions(self, service: str) -> set[str]:
        """Return the revisions that something of the service starts by."""
        return {*self._links(service).values(), *self._listed(service)}

    def log(self, service: str, number: int) -> str:
        """Return the end of one's journal, with what its supervisord and systemd say."""
        names = (f"{service}@{number}", f"{service}@supervisord", "systemd")
        return self.systemd.journal(f"{service}@supervisord-*.service", service, *names)

    def log_command(self, service: str, number: int) -> str:
        """Return the command that shows more of it."""
        return f"journalctl --namespace=+{service} -t {service}@{number} -t {service}@supervisord"

    # -- acting ----------------------------------------------------------------------------------------

    def install(
        self, service: str, revision: str, unit: str, hold: Sequence[int], let_go: Sequence[int]
    ) -> None:
        """Install a revision's unit (after `reload`); nothing has to be held, others have their own."""
        del hold, let_go
        write(self.systemd.folder / unit_name(service, revision), unit)

    def enable(self, targets: Sequence[Target]) -> None:
        """Have instances start at boot: by the revision to which they belong, or else by the given one."""
        for service, number, revision in targets:
            belongs = self._links(service).get(number)
            if belongs is None:
                _link(service, number, revision)
            self._enable(service, belongs or revision)

    def _enable(self, service: str, revision: str) -> None:
        unit = unit_name(service, revision)
        if self.installed(service, revision) is None:
            text = service_host.unit_text(service, revision)
            if text is None:
                raise SupervisordError(f"revision {revision} of {service} is not on this host")
            write(self.systemd.folder / unit, text)
            self.systemd.reload()
        if not self._units([service])[unit].enabled:
            self.systemd.call("enable", "--quiet", "--", unit)

    def start(self, targets: Sequence[Target]) -> None:
        """Start instances that do not run, each by its revision."""
        grouped: dict[tuple[str, str], list[int]] = {}
        for service, number, revision in targets:
            self._leave_others(service, number, revision)
            _link(service, number, revision)
            grouped.setdefault((service, revision), []).append(number)
        for (service, revision), numbers in grouped.items():
            self._enable(service, revision)
            self._run(service, revision, numbers)
        for service in {service for service, _ in grouped}:
            self._remove_idle(service)

    def put(self, target: Target, origin: str | None = None) -> None:
        """Start one by the revision, or by the one that it had."""
        service, number, revision = target
        self.start([(service, number, origin or revision)])

    def _run(self, service: str, revision: str, numbers: Iterable[int]) -> None:
        unit = unit_name(service, revision)
        if not self._units([service])[unit].up:
            self.systemd.forget_failures(unit)
            # It starts all that is linked; how that fares is found out by looking at it.
            with contextlib.suppress(SystemdError):
                self.systemd.call("start", "--", unit)
            return
        known = self._certain(service, revision)
        self._ask(service, revision, "reloadConfig")
        for number in numbers:
            if number not in known:
                self._ask(service, revision, "addProcessGroup", f"{service}@{number}")
            elif known[number]["statename"] not in ("STARTING", "RUNNING"):
                self._again(service, revision, number)

    def restart(self, service: str, number: int) -> None:
        """Restart one as it is."""
        revision = self._revision_of(service, number)
        if self._units([service])[unit_name(service, revision)].up:
            self._certain(service, revision)
            self._again(service, revision, number)
        else:
            self._run(service, revision, [number])

    def _again(self, service: str, revision: str, number: int) -> None:
        name = f"{service}@{number}"
        self._ask(service, revision, "stopProcess", name, fine=NOT_RUNNING)
        # Also a program that can't be run is tried again by supervisord itself.
        self._ask(service, revision, "startProcess", name, False, fine=SPAWN_ERROR)

    def renew(self, service: str, number: int) -> None:
        """Have gunicorn load its code and settings anew."""
        self._ask(service, self._revision_of(service, number), "signalProcess", f"{service}@{number}", "HUP")

    def _revision_of(self, service: str, number: int) -> str:
        """Return the revision whose supervisord has an instance."""
        running = self.instance(service, number).revision
        revision = running or self._links(service).get(number)
        if not revision:
            raise SupervisordError(f"{service}@{number} is under no supervisord. Next: start the service")
        return revision

    def stop(self, service: str, numbers: Sequence[int], at_boot: bool) -> None:
        """Stop instances; a supervisord whose last program stops, stops too."""
        units = self._units([service])
        if not at_boot:
            for number in numbers:
                _unlink(service, number)
        for revision in self._listed(service):
            unit = unit_name(service, revision)
            if not units[unit].up:
                continue
            programs = self._certain(service, revision)
            going = sorted(set(programs) & set(numbers))
            if all(number in numbers or not program["pid"] for number, program in programs.items()):
                # All at once, and supervisord with them.
                self.systemd.call("stop", "--", unit)
                continue
            for number in going:
                self._ask(service, revision, "stopProcess", f"{service}@{number}", fine=NOT_RUNNING)
        if not at_boot:
            self._remove_idle(service)

    def drop(self, service: str, numbers: Sequence[int]) -> None:
        """Stop instances for good."""
        for number in numbers:
            self._leave_others(service, number, keep="")
        self._remove_idle(service)

    def _leave_others(self, service: str, number: int, keep: str) -> None:
        """Take an instance from every supervisord but that of one revision."""
        if self._links(service).get(number) != keep:
            _unlink(service, number)
        units = self._units([service])
        for revision in self._listed(service):
            if revision == keep or not units[unit_name(service, revision)].up:
                continue
            if number not in self._certain(service, revision):
                continue
            name = f"{service}@{number}"
            self._ask(service, revision, "stopProcess", name, fine=NOT_RUNNING)
            self._ask(service, revision, "removeProcessGroup", name)

    def _remove_idle(self, service: str) -> None:
        """Remove the supervisords to which no instance belongs."""
        idle = set(self._listed(service)) - set(self._links(service).values())
        for revision in sorted(idle):
            unit = unit_name(service, revision)
            self.systemd.call("stop", "--", unit)
            self.systemd.call("disable", "--quiet", "--", unit)
            (self.systemd.folder / unit).unlink()
        if idle:
            self.systemd.reload()
            self.systemd.forget_failures(*(unit_name(service, revision) for revision in idle))

    def remove(self, service: str) -> None:
        """Stop whatever there is of a service, and remove its units."""
        for number in self._links(service):
            _unlink(service, number)
        self._remove_idle(service)

    def _certain(self, service: str, revision: str) -> dict[int, dict[str, Any]]:
        """Return what a supervisord that is up says of its programs; one that was just started takes a while."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._told(service, revision)
            except RpcError as error:
                if time.monotonic() >= deadline:
                    raise self._error(service, revision, error) from None
            time.sleep(POLL_SECONDS)

    def _ask(self, service: str, revision: str, method: str, *arguments: Any, fine: int = 0) -> None:
        try:
            supervisord_rpc.call(socket_path(service, revision), method, *arguments)
        except RpcError as error:
            if error.code is None or error.code not in (fine, ALREADY_STARTED):
                raise self._error(service, revision, error) from None

    def _error(self, service: str, revision: str, error: RpcError) -> SupervisordError:
        unit = unit_name(service, revision)
        return SupervisordError(
            f"{unit}: {error}. Next: journalctl --namespace=+{service} -u {unit}; systemctl restart {unit}"
        )


def unit_name(service: str, revision: str) -> str:
    """Return the name of the unit of a revision's supervisord."""
    return f"{service}@supervisord-{revision}.service"


def socket_path(service: str, revision: str) -> Path:
    """Return where a revision's supervisord listens."""
    return RUNTIME / f"tandem-{service}-{revision}" / "supervisor.sock"


def _revision_folder(service: str, revision: str) -> Path:
    return service_host.SETTINGS / service / "revisions" / revision


def _programs_folder(service: str) -> Path:
    return service_host.SETTINGS / service / "programs"


def _link(service: str, number: int, revision: str) -> None:
    path = _programs_folder(service) / revision / f"{number}.conf"
    if not path.is_symlink():
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(exist_ok=True)
            # Whatever this process's umask: supervisord reads it as the service's user.
            folder.chmod(0o755)
        path.symlink_to(_revision_folder(service, revision) / f"program-{number}.conf")


def _unlink(service: str, number: int) -> None:
    """Have no supervisord start an instance from now on."""
    for path in _programs_folder(service).glob(f"*/{number}.conf"):
        path.unlink()
        with contextlib.suppress(OSError):
            # Not empty while other instances belong to the revision.
            path.parent.rmdir()
