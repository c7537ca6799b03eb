# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What runs the instances of services: systemd, or a supervisord per service. Knows nothing of Ansible.

A service has one manager. While a release moves it to the other one, some of its instances run under each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .instances_supervisord import Supervisord
from .instances_systemd import Instance, Systemd, Target


class Manager(Protocol):
    """Runs instances. Those that are started here also start at boot, by what was started last.

    Each method raises `SystemdError` when the manager refuses or does not answer; whether an instance came up is
    found out by looking at it.
    """

    name: str

    def instances(self, services: Sequence[str], counts: dict[str, int]) -> dict[str, list[Instance]]:
        """Return the instances of services: those that exist in any way, and those up to the given counts."""

    def instance(self, service: str, number: int) -> Instance:
        """Return one instance as it is now."""

    def installed(self, service: str, revision: str) -> str | None:
        """Return the text of the unit by which a revision's instances would start."""

    def install(
        self, service: str, revision: str, unit: str, hold: Sequence[int], let_go: Sequence[int]
    ) -> None:
        """Install a revision's unit (after systemd's `reload`).

        `hold`: instances that shall start as they did; `let_go`: those that need not be held so any more.
        """

    def enable(self, targets: Sequence[Target]) -> None:
        """Have instances start at boot."""

    def start(self, targets: Sequence[Target]) -> None:
        """Start instances that do not run by their installed revisions, all at once."""

    def put(self, target: Target, origin: str | None = None) -> None:
        """Start an instance by its installed revision, or by its `origin`; what runs of it is stopped."""

    def origin(self, service: str, number: int, revision: str) -> str | None:
        """Return what an instance starts by, for `put`; None when that is the revision already."""

    def restart(self, service: str, number: int) -> None:
        """Restart an instance by what it was started by."""

    def renew(self, service: str, number: int) -> None:
        """Have an instance load its code and settings anew, without a stop."""

    def stop(self, service: str, numbers: Sequence[int], at_boot: bool) -> None:
        """Stop instances; `at_boot`: whether they start again with the host."""

    def drop(self, service: str, numbers: Sequence[int]) -> None:
        """Stop instances for good."""

    def remove(self, service: str) -> None:
        """Stop whatever there is of a service, and remove its units (after systemd's `reload`)."""

    def revisions(self, service: str) -> set[str]:
        """Return the revisions that something of the service starts by."""

    def log(self, service: str, number: int) -> str:
        """Return the end of an instance's log, for people."""

    def log_command(self, service: str, number: int) -> str:
        """Return the command that shows more of it."""


@dataclass(frozen=True)
class Found:
    """A service's instances, each under the manager that runs it; `beside`: what is left under another one."""

    instances: tuple[Instance, ...] = ()
    beside: tuple[Instance, ...] = ()


class Managers:
    """All managers of a host."""

    def __init__(self, systemd: Systemd) -> None:
        self.systemd = systemd
        self._by_name: dict[str, Manager] = {"systemd": systemd, "supervisord": Supervisord(systemd)}

    def __iter__(self) -> Iterator[Manager]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Manager:
        """Return the manager of this name."""
        return self._by_name[name]

    def instances(self, counts: dict[str, int], managers: dict[str, str]) -> dict[str, Found]:
        """Return the instances of services by name: those that exist, and those up to the given counts.

        `managers`: by service the name of the manager that shall run it.
        """
        each: dict[str, list[Instance]] = {service: [] for service in managers}
        for manager in self:
            own = {name: count for name, count in counts.items() if managers[name] == manager.name}
            for service, found in manager.instances(list(managers), own).items():
                each[service] += found
        return {service: _chosen(found, managers[service]) for service, found in each.items()}

    def having(self, service: str, number: int, wanted: str) -> Manager:
        """Return the manager that has an instance: it runs there, or would start there; else the wanted one."""

        def rank(manager: Manager) -> tuple[bool, bool, bool]:
            item = manager.instance(service, number)
            return item.running, not item.gone, manager.name == wanted

        return max(self, key=rank)


def _chosen(found: Sequence[Instance], wanted: str) -> Found:
    """Take what runs before what does not, and the wanted manager's before another's."""
    chosen: dict[int, Instance] = {}
    for item in sorted(found, key=lambda item: (not item.running, item.manager != wanted)):
        chosen.setdefault(item.number, item)
    beside = tuple(item for item in found if chosen[item.number] is not item and not item.gone)
    return Found(tuple(chosen[number] for number in sorted(chosen)), beside)
