# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What can be done with a host's instances: one function per state of the module `tandem.platform.instances`.

Each takes what acts, the services and whether only to predict, and returns the module's result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import service_host
from .instances_managers import Found
from .instances_plan import Expected, Plan, at_once, plan, restarts
from .instances_roll import Roller, RollError
from .instances_systemd import Instance

Result = dict[str, Any]
Verb = Callable[[Roller, Sequence[Expected], bool], Result]


def plans(roller: Roller, services: Sequence[Expected]) -> list[Plan]:
    """Compare all services with the host; the managers and the door are asked once."""
    found = _found(roller, services)
    servers = roller.door.all_servers()
    return [
        plan(
            service,
            found[service.name].instances,
            servers.get(service.name, {}),
            service_host.unit_text(service.name, service.revision),
            roller.managers.named(service.manager).installed(service.name, service.revision),
            found[service.name].beside,
        )
        for service in services
    ]


def present(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Install units, start what is missing, stop what is too much, put back what was left out of the door."""
    todo = plans(roller, services)
    actions = [*(f"install {item.service.name}@" for item in todo if item.template), *at_once(todo)]
    drained = sorted(roller.door.drained_services() & {service.name for service in services})
    actions += [f"undrain {name}" for name in drained]
    if not predict:
        _install(roller, todo)
        for item in todo:
            roller.leave(item)
            roller.stop(item)
        roller.start(todo)
        for item in todo:
            for number in item.put_back:
                roller.put_back(item.service, number)
        for name in drained:
            roller.door.undrain(name)
    return {"changed": bool(actions), "actions": actions, "restarts": restarts(todo)}


def _install(roller: Roller, todo: Sequence[Plan]) -> None:
    changed = False
    for item in todo:
        unit = service_host.unit_text(item.service.name, item.service.revision)
        if unit is None:
            raise RollError(f"revision {item.service.revision} of {item.service.name} is not on this host")
        changed |= roller.prepare(item, unit)
    if changed:
        roller.managers.systemd.reload()


def current(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Restart what is out of date, one instance after another."""
    todo = plans(roller, services)
    if not predict:
        for item in todo:
            for number in item.restart:
                roller.restart(item.service, number)
    actions = restarts(todo)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def started(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Start what does not run."""
    todo = plans(roller, services)
    actions = [line for item in todo for line in item.lines("enable", "start")]
    if not predict:
        roller.start(todo)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def stopped(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Stop everything; with policy unless-stopped also at the next boot."""
    actions = []
    for service, instances in _of(roller, services):
        running = [item.number for item in instances if item.running or item.active == "activating"]
        actions += [f"stop {service.name}@{number}" for number in running]
        if running and not predict:
            roller.leave_and_stop(service, running)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def restarted(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Restart everything that runs, one instance after another, each with the revision that it has."""
    actions = []
    for service, instances in _of(roller, services):
        for item in instances:
            if item.running:
                actions.append(f"restart {service.name}@{item.number}")
                if not predict:
                    roller.restart(service, item.number, move=False)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def reloaded(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Have everything that runs load its code and settings anew, without a stop."""
    actions = []
    for service, instances in _of(roller, services):
        for item in instances:
            if item.running and not item.can_reload:
                raise RollError(f"{service.name} can't reload. Next: restart it")
            if item.running:
                actions.append(f"reload {service.name}@{item.number}")
                if not predict:
                    roller.reload(service, item.number)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def _of(roller: Roller, services: Sequence[Expected]) -> list[tuple[Expected, tuple[Instance, ...]]]:
    found = _found(roller, services)
    return [(service, found[service.name].instances) for service in services]


def _found(roller: Roller, services: Sequence[Expected]) -> dict[str, Found]:
    counts = {service.name: service.instances for service in services}
    return roller.managers.instances(counts, {service.name: service.manager for service in services})


VERBS: dict[str, Verb] = {
    "present": present,
    "current": current,
    "started": started,
    "stopped": stopped,
    "restarted": restarted,
    "reloaded": reloaded,
}
