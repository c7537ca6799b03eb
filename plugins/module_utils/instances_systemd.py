# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Instances of services as systemd and /proc show them, and changes to them. Knows nothing of Ansible.

A service is a template unit /etc/systemd/system/<service>@.service and its instances 1, 2, …. While a release
is on its way, an instance that shall still start as before is held by a unit file of its own,
/etc/systemd/system/<service>@<n>.service, which is a copy of the template that it was started with.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

UNIT_FOLDER = Path("/etc/systemd/system")
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "UnitFileState",
    "NRestarts",
    "MemoryCurrent",
    "ActiveEnterTimestamp",
    "CanReload",
)
JOURNAL_LINES = 15
CALL_SECONDS = 180
# A service, one of its instances, and the revision that it shall run.
Target = tuple[str, int, str]
UNITS_REVISION = re.compile(r"/revisions/([0-9a-f]+)/")
REVISION = re.compile(rb"(?:^|\0)TANDEM_REVISION=([0-9a-f]+)(?:\0|$)")


class SystemdError(Exception):
    """systemd refused or failed; the message is what it said."""


@dataclass(frozen=True)
class Instance:
    """What is known of one instance now; `revision` is of the process that runs, "" where none does."""

    service: str
    number: int
    active: str = "inactive"
    sub: str = "dead"
    result: str = ""
    pid: int = 0
    revision: str = ""
    enabled: bool = False
    held: bool = False
    restarts: int = 0
    memory: int | None = None
    since: str = ""
    can_reload: bool = False
    manager: str = "systemd"

    @property
    def running(self) -> bool:
        """Whether a process is there, up or on its way; not when it is about to be started again."""
        return self.pid > 0 and self.active in ("active", "activating", "reloading", "refreshing")

    @property
    def gone(self) -> bool:
        """Whether nothing is left of it: not running, waiting, failed or enabled."""
        return self.active == "inactive" and not self.enabled and not self.held


class Systemd:
    """systemctl, journalctl, unit files and /proc of this host; also a `Manager` of instances."""

    name = "systemd"

    def __init__(self, folder: Path = UNIT_FOLDER, proc: Path = Path("/proc")) -> None:
        self.folder = folder
        self.proc = proc

    def call(self, *arguments: str) -> str:
        """Run systemctl and return what it printed. Raises `SystemdError`."""
        command = ["systemctl", "--no-pager", "--no-ask-password", *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=CALL_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise SystemdError(f"systemctl {' '.join(arguments)} took longer than {CALL_SECONDS} s") from None
        if done.returncode != 0:
            raise SystemdError(done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}")
        return done.stdout

    def reload(self) -> None:
        """Have systemd read its unit files again."""
        self.call("daemon-reload")

    def forget_failures(self, *units: str) -> None:
        """Let units start again that failed or started too often; units that systemd has not loaded are fine."""
        with contextlib.suppress(SystemdError):
            self.call("reset-failed", "--", *units)

    def instances(self, services: Sequence[str], counts: dict[str, int]) -> dict[str, list[Instance]]:
        """Return the instances of services: those that exist in any way, and those up to the given counts."""
        names = {service: set(range(1, counts.get(service, 0) + 1)) for service in services}
        for unit in self._known(services):
            service, _, number = unit.removesuffix(".service").rpartition("@")
            if service in names and number.isdecimal():
                names[service].add(int(number))
        units = [f"{service}@{number}.service" for service in services for number in sorted(names[service])]
        blocks = self.call("show", f"--property={','.join(PROPERTIES)}", "--", *units) if units else ""
        found: dict[str, list[Instance]] = {service: [] for service in services}
        for block in blocks.strip().split("\n\n"):
            if block:
                instance = self._read(block)
                found[instance.service].append(instance)
        return found

    def instance(self, service: str, number: int) -> Instance:
        """Return one instance as it is now."""
        unit = f"{service}@{number}.service"
        return self._read(self.call("show", f"--property={','.join(PROPERTIES)}", "--", unit).strip())

    def _known(self, services: Sequence[str]) -> Iterable[str]:
        patterns = [f"{service}@*.service" for service in services]
        if patterns:
            listed = self.call("list-units", "--all", "--plain", "--no-legend", "--", *patterns)
            yield from (line.split()[0] for line in listed.splitlines() if line.strip())
        for pattern in patterns:
            yield from (path.name for path in (self.folder / "multi-user.target.wants").glob(pattern))
            yield from (path.name for path in self.folder.glob(pattern))

    def _read(self, block: str) -> Instance:
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        service, _, number = values["Id"].removesuffix(".service").rpartition("@")
        pid = int(values.get("MainPID", "0"))
        memory = values.get("MemoryCurrent", "")
        return Instance(
            service=service,
            number=int(number),
            active=values.get("ActiveState", "inactive"),
            sub=values.get("SubState", "dead"),
            result=values.get("Result", ""),
            pid=pid,
            revision=self.revision(pid),
            enabled=values.get("UnitFileState") == "enabled",
            held=self.held(service, int(number)),
            restarts=int(values.get("NRestarts") or 0),
            memory=int(memory) if memory.isdecimal() else None,
            since=values.get("ActiveEnterTimestamp", ""),
            can_reload=values.get("CanReload") == "yes",
        )

    def properties(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        """Return properties of a unit, also of one that does not exist."""
        block = self.call("show", f"--property={','.join(names)}", "--", unit)
        return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)

    def revision(self, pid: int) -> str:
        """Return the revision of a process, "" where it does not tell."""
        if not pid:
            return ""
        try:
            found = REVISION.search((self.proc / str(pid) / "environ").read_bytes())
        except OSError:
            return ""
        return found[1].decode() if found else ""

    def unit(self, name: str) -> str | None:
        """Return the text of an installed unit file, or None."""
        return read_text(self.folder / name)

    def write_unit(self, name: str, text: str) -> None:
        """Install a unit file (it counts after `reload`)."""
        write(self.folder / name, text)

    def remove_unit(self, name: str) -> None:
        """Remove a unit file (it counts after `reload`)."""
        (self.folder / name).unlink(missing_ok=True)

    def template(self, service: str) -> str | None:
        """Return the text of the installed template, or None."""
        return read_text(self.folder / f"{service}@.service")

    def held(self, service: str, number: int) -> bool:
        """Tell whether an instance is held at another unit than the template."""
        return (self.folder / f"{service}@{number}.service").exists()

    def held_text(self, service: str, number: int) -> str | None:
        """Return the text of the unit at which an instance is held, or None."""
        return read_text(self.folder / f"{service}@{number}.service")

    def hold(self, service: str, number: int, text: str) -> None:
        """Let an instance start by this unit text from now on (after `reload`)."""
        write(self.folder / f"{service}@{number}.service", text)

    def release(self, service: str, number: int) -> None:
        """Let an instance start by the template from now on (after `reload`)."""
        (self.folder / f"{service}@{number}.service").unlink(missing_ok=True)

    def write_template(self, service: str, text: str) -> None:
        """Install a service's template."""
        write(self.folder / f"{service}@.service", text)

    def journal(self, unit: str, service: str, *identifiers: str) -> str:
        """Return the end of a unit's journal, of the service itself and of systemd about it.

        Only of these syslog identifiers, if any are given.
        """
        what = [f"--lines={JOURNAL_LINES}", f"--namespace=+{service}", f"--unit={unit}"]
        what += [f"--identifier={identifier}" for identifier in identifiers]
        command = ["journalctl", "--no-pager", "--output=short", *what]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CALL_SECONDS)
        return done.stdout.strip() or "(empty)"

    # -- as a manager of instances: see instances_managers.Manager ------------------------------------

    def installed(self, service: str, revision: str) -> str | None:
        """Return the installed template; there is one for all revisions."""
        del revision
        return self.template(service)

    def install(
        self, service: str, revision: str, unit: str, hold: Sequence[int], let_go: Sequence[int]
    ) -> None:
        """Install the template (after `reload`); the instances in `hold` start as they did."""
        del revision
        old = self.template(service)
        for number in hold if old is not None else ():
            self.hold(service, number, str(old))
        if unit != old:
            self.write_template(service, unit)
        for number in let_go:
            self.release(service, number)

    def enable(self, targets: Sequence[Target]) -> None:
        """Have instances start at boot."""
        if targets:
            self.call("enable", "--quiet", "--", *_units(targets))

    def start(self, targets: Sequence[Target]) -> None:
        """Start instances by the template, all at once."""
        for service, number, _ in targets:
            self.release(service, number)
        if targets:
            self.reload()
            self._restart(_units(targets))

    def put(self, target: Target, origin: str | None = None) -> None:
        """Start one by the template, or by the text of the unit that it had."""
        service, number, _ = target
        if origin is None:
            self.release(service, number)
        else:
            self.hold(service, number, origin)
        self.reload()
        self._restart(_units([target]))

    def origin(self, service: str, number: int, revision: str) -> str | None:
        """Return the text of the unit that an instance starts by, None when that is of the revision."""
        text = self.held_text(service, number) or self.template(service)
        return None if text is None or f"TANDEM_REVISION={revision} " in text else text

    def restart(self, service: str, number: int) -> None:
        """Restart one as it is."""
        self._restart([f"{service}@{number}.service"])

    def renew(self, service: str, number: int) -> None:
        """Have one load its code and settings anew."""
        self.call("reload", "--", f"{service}@{number}.service")

    def stop(self, service: str, numbers: Sequence[int], at_boot: bool) -> None:
        """Stop instances, all at once."""
        units = [f"{service}@{number}.service" for number in numbers]
        self.call("stop", "--", *units)
        if not at_boot:
            self.call("disable", "--quiet", "--", *units)

    def drop(self, service: str, numbers: Sequence[int]) -> None:
        """Stop instances for good."""
        if not numbers:
            return
        self.stop(service, numbers, at_boot=False)
        for number in numbers:
            self.release(service, number)
        self.reload()
        self.forget_failures(f"{service}@*.service")

    def remove(self, service: str) -> None:
        """Stop whatever there is of a service, and remove its units (after `reload`)."""
        self.drop(service, [item.number for item in self.instances([service], {})[service]])
        (self.folder / f"{service}@.service").unlink(missing_ok=True)

    def revisions(self, service: str) -> set[str]:
        """Return the revisions that the service's units name."""
        held = self.folder.glob(f"{service}@[0-9]*.service")
        texts = [self.template(service) or "", self.unit(f"{service}.service") or ""]
        texts += [read_text(path) or "" for path in held]
        return {revision for text in texts for revision in UNITS_REVISION.findall(text)}

    def log(self, service: str, number: int) -> str:
        """Return the end of one's journal."""
        return self.journal(f"{service}@{number}.service", service)

    def log_command(self, service: str, number: int) -> str:
        """Return the command that shows more of it."""
        return f"journalctl --namespace=+{service} -u {service}@{number}.service"

    def _restart(self, units: Sequence[str]) -> None:
        self.forget_failures(*units)
        # Whether it comes up by itself, and why not, is found out by looking at it.
        with contextlib.suppress(SystemdError):
            self.call("restart", "--", *units)


def _units(targets: Sequence[Target]) -> list[str]:
    return [f"{service}@{number}.service" for service, number, _ in targets]


def read_text(path: Path) -> str | None:
    """Return a file's text, None when there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(path: Path, text: str) -> None:
    """Replace a file in one step; it is on disk afterwards."""
    temporary = path.parent / f".{path.name}.new"
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.chmod(0o644)
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
