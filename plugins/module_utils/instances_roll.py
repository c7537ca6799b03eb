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
from .instances_managers import Manager, Managers
from .instances_plan import Expected, Plan, usable_elsewhere
from .instances_systemd import Instance, Target

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

    managers: Managers
    door: Door
    times: Times = field(default_factory=Times)
    clock: Clock = field(default_factory=Clock)
    health: Callable[[int, str], str] = instances_health.problem
    alone: frozenset[str] = frozenset()

    # -- what disturbs no request ------------------------------------------------------------------

    def prepare(self, plan: Plan, unit: str) -> bool:
        """Install a service's unit; what runs another revision keeps starting as it did. True if changed."""
        if not plan.template and not plan.let_go:
            return False
        manager = self.managers.named(plan.service.manager)
        manager.install(plan.service.name, plan.service.revision, unit, plan.hold, plan.let_go)
        return True

    def start(self, plans: Sequence[Plan]) -> None:
        """Enable and start what is missing, all at once, and wait until it is healthy. Raises `RollError`."""
        for manager in self.managers:
            of = [plan for plan in plans if plan.service.manager == manager.name]
            manager.enable([target for plan in of for target in plan.targets("enable")])
            manager.start([target for plan in of for target in plan.targets("start")])
        for plan in plans:
            manager = self.managers.named(plan.service.manager)
            for number in plan.start:
                problem = self._wait_healthy(manager, plan.service, number, plan.service.revision)
                if problem:
                    what, outcome = "does not come up", "It is left as it is."
                    raise RollError(self._report(manager, plan.service, number, what, problem, outcome))

    def leave(self, plan: Plan) -> None:
        """Clear away what an interrupted move to another manager has left of instances."""
        for number, instance in plan.beside.items():
            self.managers.named(instance.manager).drop(plan.service.name, [number])

    def stop(self, plan: Plan) -> None:
        """Take surplus instances out of the door, wait for their requests, and stop them for good."""
        for number in plan.stop:
            self._take_out(plan.service.name, number)
        for manager in self.managers:
            numbers = [number for number in plan.stop if plan.found[number].manager == manager.name]
            manager.drop(plan.service.name, numbers)

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
            self._stop_all(service, numbers)
        finally:
            # The door's own checks keep stopped instances out from now on.
            for number in numbers:
                self._put_back(service, number, healthy=False)
            if whole:
                self.door.undrain(service.name)

    # -- one more, one fewer -----------------------------------------------------------------------

    def grow(self, service: Expected, numbers: Sequence[int]) -> None:
        """Start more instances by what is installed, and let each into the door when it is healthy.

        One that does not come up is stopped again. Raises `RollError`.
        """
        manager = self.managers.named(service.manager)
        manager.start([(service.name, number, service.revision) for number in numbers])
        for number in numbers:
            problem = self._wait_healthy(manager, service, number, None)
            if problem:
                log = manager.log(service.name, number)
                # Those after it would come up no better.
                manager.drop(service.name, [other for other in numbers if other >= number])
                what, outcome = "does not come up", "It is stopped again."
                raise RollError(self._report(manager, service, number, what, problem, outcome, log))
            self._put_back(service, number, healthy=True)

    def shrink(self, service: Expected, number: int) -> None:
        """Stop one instance after its requests have ended; the door leaves it out from then on."""
        self._take_out(service.name, number)
        self.managers.having(service.name, number, service.manager).drop(service.name, [number])
        if number in self.door.servers(service.name):
            self.door.close(service.name, number)

    def reload(self, service: Expected, number: int) -> None:
        """Have one instance load anew, and see that it is healthy after it. Raises `RollError`."""
        manager = self.managers.having(service.name, number, service.manager)
        manager.renew(service.name, number)
        self.clock.sleep(POLL_SECONDS)
        problem = self._wait_healthy(manager, service, number, None)
        if problem:
            what = "is not well after its reload"
            raise RollError(self._report(manager, service, number, what, problem, ""))

    def _stop_all(self, service: Expected, numbers: Sequence[int]) -> None:
        having = {number: self.managers.having(service.name, number, service.manager) for number in numbers}
        for manager in self.managers:
            own = [number for number in numbers if having[number] is manager]
            if own:
                manager.stop(service.name, own, at_boot=service.restart != "unless-stopped")

    # -- restarts, one after another ---------------------------------------------------------------

    def restart(self, service: Expected, number: int, move: bool = True) -> None:
        """Restart one instance behind a drain; `move`: to the installed revision and its manager, else as it is.

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
        name = service.name
        before = self.managers.having(name, number, service.manager)
        manager, origin = before, None
        if move:
            manager = self.managers.named(service.manager)
            origin = before.origin(name, number, service.revision)
            self._move(before, manager, (name, number, service.revision))
        else:
            before.restart(name, number)
        problem = self._wait_healthy(manager, service, number, service.revision if move else None)
        if not problem:
            return
        log = manager.log(name, number)
        outcome = self._go_back(service, number, manager, before, origin)
        what = f"does not come up with revision {service.revision}" if move else "does not come up"
        raise RollError(self._report(manager, service, number, what, problem, outcome, log))

    def _move(self, before: Manager, after: Manager, target: Target, origin: str | None = None) -> None:
        """Stop an instance under one manager and start it under another, which may be the same."""
        if before is not after:
            before.drop(target[0], [target[1]])
            after.enable([target])
        after.put(target, origin)

    def _go_back(
        self, service: Expected, number: int, manager: Manager, before: Manager, origin: str | None
    ) -> str:
        """Return an instance to what it ran by, and say what became of it."""
        if origin is None:
            return "It is left as it is."
        self._move(manager, before, (service.name, number, service.revision), origin)
        problem = self._wait_healthy(before, service, number, None)
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

    def _wait_healthy(self, manager: Manager, service: Expected, number: int, revision: str | None) -> str:
        """Wait until an instance is healthy; return what is wrong with it when it does not get so."""
        deadline = self.clock.now() + self.times.start
        since, pid, problem = self.clock.now(), 0, "no process"
        while self.clock.now() < deadline:
            instance = manager.instance(service.name, number)
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
            return f"{instance.manager} says {instance.active} ({instance.sub}){ended}{again}"
        if revision is not None and instance.revision != revision:
            return f"the process is of revision {instance.revision or '(unknown)'}"
        address = service.address(instance.number)
        if address is not None:
            return self.health(*address)
        return "" if age >= self.times.stable else f"it lives for only {age:.1f} s"

    def _report(
        self,
        manager: Manager,
        service: Expected,
        number: int,
        what: str,
        problem: str,
        outcome: str,
        log: str = "",
    ) -> str:
        log = log or manager.log(service.name, number)
        return (
            f"{service.name}@{number} on {platform.node()} {what}: {problem}.\n{outcome} Nothing else was "
            f"restarted after it.\nThe end of its journal:\n{log}\nNext: correct the cause and run the "
            f"playbook again; more with: {manager.log_command(service.name, number)}"
        )
