# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Bring a host's instances to what a plan says, without a failed request where the door has another way.

An instance is restarted only after the door sends it nothing more and its requests have ended. The last usable
instance of a service on this host is restarted only after edges and other hosts were told to go elsewhere.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import instances_health
from .instances_door import Door
from .instances_plan import Expected, Plan, usable_elsewhere
from .instances_systemd import Instance, Systemd, SystemdError

POLL_SECONDS = 0.2
UP_SECONDS = 30.0
# A process that keeps ending will not get well by waiting.
MAX_RESTARTS = 4


class RollError(Exception):
    """An instance does not come up or down; the message is for the person who deploys."""


@dataclass(frozen=True)
class Times:
    """How long to wait, in seconds.

    `start`: until an instance is healthy. `drain`: for requests in flight. `notice`: until the checks of all
    callers have seen that the door refuses a service; `back`: until they have seen that it is there again.
    `stable`: how long an instance without a health address must live to count as healthy.
    """

    start: float = 120.0
    drain: float = 30.0
    notice: float = 5.0
    back: float = 4.0
    stable: float = 3.0


@dataclass
class Clock:
    """Time; tests put their own in its place."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Roller:
    """Does what plans say. `alone`: services that no other host runs, so that nobody can go elsewhere."""

    systemd: Systemd
    door: Door
    times: Times = field(default_factory=Times)
    clock: Clock = field(default_factory=Clock)
    health: Callable[[int, str], str] = instances_health.problem
    alone: frozenset[str] = frozenset()

    # -- what disturbs no request ------------------------------------------------------------------

    def prepare(self, plan: Plan, unit: str) -> bool:
        """Install a service's unit; what runs another revision keeps starting as it did. True if changed."""
        name = plan.service.name
        old = self.systemd.template(name)
        for number in plan.hold if old is not None else ():
            self.systemd.hold(name, number, str(old))
        if plan.template:
            self.systemd.write_template(name, unit)
        for number in plan.let_go:
            self.systemd.release(name, number)
        return bool(plan.template or plan.let_go)

    def start(self, plans: Sequence[Plan]) -> None:
        """Enable and start what is missing, all at once, and wait until it is healthy. Raises `RollError`."""
        enable = [f"{plan.service.name}@{number}.service" for plan in plans for number in plan.enable]
        if enable:
            self.systemd.call("enable", "--quiet", "--", *enable)
        missing = [(plan.service, number) for plan in plans for number in plan.start]
        for service, number in missing:
            self.systemd.release(service.name, number)
        if missing:
            units = [f"{service.name}@{number}.service" for service, number in missing]
            self.systemd.reload()
            self._restart_units(units)
        for service, number in missing:
            problem = self._wait_healthy(service, number, service.revision)
            if problem:
                raise RollError(
                    self._report(service, number, "does not come up", problem, "It is left as it is.")
                )

    def stop(self, service: str, numbers: Sequence[int]) -> None:
        """Take instances out of the door, wait for their requests, stop and disable them."""
        if not numbers:
            return
        for number in numbers:
            self._take_out(service, number)
        units = [f"{service}@{number}.service" for number in numbers]
        self.systemd.call("stop", "--", *units)
        self.systemd.call("disable", "--quiet", "--", *units)
        for number in numbers:
            self.systemd.release(service, number)
        self.systemd.reload()
        self.systemd.forget_failures(f"{service}@*.service")

    def leave_and_stop(self, service: Expected, numbers: Sequence[int]) -> None:
        """Stop a whole service on this host, after its callers have gone elsewhere.

        With the policy unless-stopped it does not start at the next boot either.
        """
        servers = self.door.servers(service.name)
        whole = any(server.usable for server in servers.values()) and service.name not in self.alone
        if whole:
            self.door.drain(service.name)
            self.clock.sleep(self.times.notice)
        try:
            for number in numbers:
                self._take_out(service.name, number)
            units = [f"{service.name}@{number}.service" for number in numbers]
            self.systemd.call("stop", "--", *units)
            if service.restart == "unless-stopped":
                self.systemd.call("disable", "--quiet", "--", *units)
        finally:
            # The door's own checks keep stopped instances out from now on.
            for number in numbers:
                self._put_back(service, number, healthy=False)
            if whole:
                self.door.undrain(service.name)

    def reload(self, service: Expected, number: int) -> None:
        """Have one instance load anew, and see that it is healthy after it. Raises `RollError`."""
        self.systemd.call("reload", "--", f"{service.name}@{number}.service")
        self.clock.sleep(POLL_SECONDS)
        problem = self._wait_healthy(service, number, None)
        if problem:
            raise RollError(self._report(service, number, "is not well after its reload", problem, ""))

    # -- restarts, one after another ---------------------------------------------------------------

    def restart(self, service: Expected, number: int, move: bool = True) -> None:
        """Restart one instance behind a drain; `move`: to the installed revision, else as it is held.

        An instance that does not come up with the new revision goes back to the one it ran. Raises `RollError`.
        """
        whole = self._leave(service.name, number)
        healthy = False
        try:
            self._exchange(service, number, move)
            healthy = True
        finally:
            self._come_back(service, number, whole, healthy)

    def _leave(self, service: str, number: int) -> bool:
        """Let requests go elsewhere; returns whether the whole service left this host."""
        servers = self.door.servers(service)
        if number not in servers:
            return False
        last = servers[number].usable and not usable_elsewhere(servers, number)
        whole = last and service not in self.alone
        if whole:
            self.door.drain(service)
            self.clock.sleep(self.times.notice)
        self._take_out(service, number)
        return whole

    def _take_out(self, service: str, number: int) -> None:
        if number not in self.door.servers(service):
            return
        self.door.take_out(service, number)
        deadline = self.clock.now() + self.times.drain
        while self.clock.now() < deadline:
            server = self.door.servers(service).get(number)
            if server is None or server.sessions == 0:
                return
            self.clock.sleep(POLL_SECONDS)

    def _exchange(self, service: Expected, number: int, move: bool) -> None:
        unit = f"{service.name}@{number}.service"
        before = self.systemd.held_text(service.name, number) if move else None
        if before is not None:
            self.systemd.release(service.name, number)
        self.systemd.reload()
        self._restart_units([unit])
        problem = self._wait_healthy(service, number, service.revision if move else None)
        if not problem:
            return
        journal = self.systemd.journal(unit, service.name)
        outcome = self._go_back(service, number, before)
        what = f"does not come up with revision {service.revision}" if move else "does not come up"
        raise RollError(self._report(service, number, what, problem, outcome, journal))

    def _go_back(self, service: Expected, number: int, before: str | None) -> str:
        """Return an instance to the unit it ran by, and say what became of it."""
        if before is None:
            return "It is left as it is."
        self.systemd.hold(service.name, number, before)
        self.systemd.reload()
        self._restart_units([f"{service.name}@{number}.service"])
        problem = self._wait_healthy(service, number, None)
        if problem:
            return f"With its previous revision it does not come up either: {problem}."
        self._put_back(service, number, healthy=True)
        return "It runs its previous revision again."

    def _come_back(self, service: Expected, number: int, whole: bool, healthy: bool) -> None:
        self._put_back(service, number, healthy)
        if whole:
            self.door.undrain(service.name)
            if healthy:
                self.clock.sleep(self.times.back)

    def put_back(self, service: Expected, number: int) -> None:
        """Let an instance have requests again that an interrupted run had taken out."""
        self._put_back(service, number, healthy=False)

    def _put_back(self, service: Expected, number: int, healthy: bool) -> None:
        if number not in self.door.servers(service.name):
            return
        # Without the word that it is healthy the door waits for its own checks.
        self.door.put_back(service.name, number, healthy)
        deadline = self.clock.now() + UP_SECONDS
        while healthy and self.clock.now() < deadline:
            if self.door.servers(service.name)[number].usable:
                return
            self.clock.sleep(POLL_SECONDS)
        if healthy:
            raise RollError(
                f"{service.name}@{number} on {platform.node()} is healthy, but the host's door does not take it "
                f"back within {UP_SECONDS:.0f} s. Next: look at `journalctl -t haproxy` there"
            )

    # -- waiting and telling -----------------------------------------------------------------------

    def _restart_units(self, units: Sequence[str]) -> None:
        self.systemd.forget_failures(*units)
        try:
            self.systemd.call("restart", "--", *units)
        except SystemdError:
            # Whether it comes up by itself, and why not, is found out by looking at it.
            return

    def _wait_healthy(self, service: Expected, number: int, revision: str | None) -> str:
        """Wait until an instance is healthy; return what is wrong with it when it does not get so."""
        deadline = self.clock.now() + self.times.start
        since, pid, problem = self.clock.now(), 0, "no process"
        while self.clock.now() < deadline:
            instance = self.systemd.instance(service.name, number)
            if instance.pid != pid:
                since, pid = self.clock.now(), instance.pid
            problem = self._problem(service, instance, revision, self.clock.now() - since)
            if not problem:
                return ""
            if instance.active in ("failed", "inactive") or instance.restarts >= MAX_RESTARTS:
                break
            self.clock.sleep(POLL_SECONDS)
        return problem

    def _problem(self, service: Expected, instance: Instance, revision: str | None, age: float) -> str:
        if not instance.running or instance.active != "active":
            ended = f", last result {instance.result}" if instance.result not in ("", "success") else ""
            again = f", started again {instance.restarts} times" if instance.restarts else ""
            return f"systemd says {instance.active} ({instance.sub}){ended}{again}"
        if revision is not None and instance.revision != revision:
            return f"the process is of revision {instance.revision or '(unknown)'}"
        address = service.address(instance.number)
        if address is not None:
            return self.health(*address)
        return "" if age >= self.times.stable else f"it lives for only {age:.1f} s"

    def _report(
        self, service: Expected, number: int, what: str, problem: str, outcome: str, journal: str = ""
    ) -> str:
        unit = f"{service.name}@{number}.service"
        journal = journal or self.systemd.journal(unit, service.name)
        return (
            f"{service.name}@{number} on {platform.node()} {what}: {problem}.\n{outcome} Nothing else was "
            f"restarted after it.\nThe end of its journal:\n{journal}\nNext: correct the cause and run the "
            f"playbook again; more with: journalctl --namespace=+{service.name} -u {unit}"
        )
