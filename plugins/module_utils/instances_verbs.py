# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What can be done with a host's instances: one function per state of the module `tandem.platform.instances`.

Each takes what acts, the services and whether only to predict, and returns the module's result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import instances_timers as timers
from . import service_host
from .instances_plan import Expected, Plan, at_once, plan, restarts
from .instances_roll import Roller, RollError
from .instances_systemd import Instance

Result = dict[str, Any]
Verb = Callable[[Roller, Sequence[Expected], bool], Result]


def plans(roller: Roller, services: Sequence[Expected]) -> list[Plan]:
    """Compare all services with the host; systemd and the door are asked once."""
    counts = {service.name: service.instances for service in services}
    found = roller.systemd.instances(list(counts), counts)
    servers = roller.door.all_servers()
    return [
        plan(
            service,
            found[service.name],
            servers.get(service.name, {}),
            service_host.unit_text(service.name, service.revision),
            roller.systemd.template(service.name),
        )
        for service in services
    ]


def present(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Install units, start what is missing, stop what is too much, put back what was left out of the door."""
    todo = plans(roller, services)
    scheduled = timer_plans(roller, services)
    former = [
        item.name for item in services if not item.timer and timers.installed(item.name, roller.systemd)
    ]
    actions = [line for item in scheduled for line in item.lines]
    actions += [f"remove {name}.timer" for name in former]
    actions += [*(f"install {item.service.name}@" for item in todo if item.template), *at_once(todo)]
    drained = sorted(roller.door.drained_services() & {service.name for service in services})
    actions += [f"undrain {name}" for name in drained]
    if not predict:
        timers.remove(former, roller.systemd)
        _install(roller, [item for item in todo if not item.service.timer])
        for item in todo:
            roller.stop(item.service.name, item.stop)
        roller.start(todo)
        for item in todo:
            for number in item.put_back:
                roller.put_back(item.service, number)
        for name in drained:
            roller.door.undrain(name)
        for scheduled_item in scheduled:
            timers.apply(scheduled_item, roller.systemd)
    return {"changed": bool(actions), "actions": actions, "restarts": restarts(todo)}


def timer_plans(roller: Roller, services: Sequence[Expected]) -> list[timers.TimerPlan]:
    """Compare the timers among the services with the host."""
    return [
        timers.plan(service, timers.look(service.name, roller.systemd), roller.systemd)
        for service in services
        if service.timer
    ]


def _install(roller: Roller, todo: Sequence[Plan]) -> None:
    changed = False
    for item in todo:
        unit = service_host.unit_text(item.service.name, item.service.revision)
        if unit is None:
            raise RollError(f"revision {item.service.revision} of {item.service.name} is not on this host")
        changed |= roller.prepare(item, unit)
    if changed:
        roller.systemd.reload()


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
    scheduled = [item for item in timer_plans(roller, services) if item.enable or item.start]
    actions = [line for item in todo for line in item.lines("enable", "start")]
    actions += [line for item in scheduled for line in item.lines if not line.startswith("install")]
    if not predict:
        roller.start(todo)
        for item in scheduled:
            timers.resume(item, roller.systemd)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def stopped(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Stop everything; with policy unless-stopped also at the next boot."""
    actions = []
    for service in services:
        found = timers.look(service.name, roller.systemd) if service.timer else None
        if found is not None and (found.waiting or found.runs):
            actions.append(f"stop {service.name}.timer")
            if not predict:
                timers.stop(service.name, roller.systemd)
    for service, instances in _of(roller, services):
        running = [item.number for item in instances if item.running or item.active == "activating"]
        actions += [f"stop {service.name}@{number}" for number in running]
        if running and not predict:
            roller.leave_and_stop(service, running)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def restarted(roller: Roller, services: Sequence[Expected], predict: bool) -> Result:
    """Restart everything that runs, one instance after another, each with the revision that it has."""
    actions = [f"restart {service.name}.timer" for service in services if service.timer]
    if actions and not predict:
        roller.systemd.call("restart", "--", *(f"{item.name}.timer" for item in services if item.timer))
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
        if service.timer:
            raise RollError(f"{service.name} is a timer and has nothing to reload: each run starts anew")
        for item in instances:
            if item.running and not item.can_reload:
                raise RollError(f"{service.name} can't reload. Next: restart it")
            if item.running:
                actions.append(f"reload {service.name}@{item.number}")
                if not predict:
                    roller.reload(service, item.number)
    return {"changed": bool(actions), "actions": actions, "restarts": []}


def _of(roller: Roller, services: Sequence[Expected]) -> list[tuple[Expected, list[Instance]]]:
    counts = {service.name: service.instances for service in services}
    found = roller.systemd.instances(list(counts), counts)
    return [(service, found[service.name]) for service in services]


VERBS: dict[str, Verb] = {
    "present": present,
    "current": current,
    "started": started,
    "stopped": stopped,
    "restarted": restarted,
    "reloaded": reloaded,
}
