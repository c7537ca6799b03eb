# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be done to a host's instances: pure comparison of what is expected with what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .instances_door import Server
from .instances_systemd import Instance, Target


@dataclass(frozen=True)
class Expected:
    """A service as it shall run: `revision` of its folder below /etc/tandem/services/<name>/revisions.

    `instances` is their number, or with `autoscale` the most that there can be. `autoscale` has `min`, `max`,
    `metric` and `per_instance`.
    """

    name: str
    revision: str
    instances: int
    port: int | None = None
    health: str | None = None
    restart: str = "always"
    manager: str = "systemd"
    timer: bool = False
    autoscale: Mapping[str, Any] | None = None

    @staticmethod
    def read(values: Mapping[str, Any]) -> Expected:
        """Read a manifest, or an entry of the result of `tandem.platform.service_revisions`."""
        return Expected(
            name=str(values["name"]),
            revision=str(values["revision"]),
            instances=int(values["instances"]),
            port=int(values["port"]) if values.get("port") else None,
            health=values.get("health") or None,
            restart=str(values.get("restart", "always")),
            manager=str(values.get("manager", "systemd")),
            timer=bool(values.get("timer", False)),
            autoscale=values.get("autoscale") or None,
        )

    @property
    def always(self) -> int:
        """How many always run; those above them start and stop with the metric (instances_autoscale)."""
        return int(self.autoscale["min"]) if self.autoscale else self.instances

    def address(self, number: int) -> tuple[int, str] | None:
        """Return port and path of an instance's health, None where it has none."""
        return (self.port + number - 1, self.health) if self.port and self.health else None


@dataclass(frozen=True)
class Plan:
    """What has to be done to one service's instances, by number."""

    service: Expected
    template: bool = False
    enable: tuple[int, ...] = ()
    start: tuple[int, ...] = ()
    restart: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()
    put_back: tuple[int, ...] = ()
    # What is left of them under the other manager.
    leave: tuple[int, ...] = ()
    # Not shown to people: which unit file systemd would start them by.
    hold: tuple[int, ...] = ()
    let_go: tuple[int, ...] = ()
    found: Mapping[int, Instance] = field(default_factory=dict)
    beside: Mapping[int, Instance] = field(default_factory=dict)

    def targets(self, kind: str) -> list[Target]:
        """Return the instances to which this kind of thing has to be done, with the wanted revision."""
        return [(self.service.name, number, self.service.revision) for number in getattr(self, kind)]

    def lines(self, *kinds: str) -> list[str]:
        """Return one line per thing to do, of these kinds."""
        return [f"{kind} {self.service.name}@{number}" for kind in kinds for number in getattr(self, kind)]


def plan(
    service: Expected,
    found: Iterable[Instance],
    servers: Mapping[int, Server],
    wanted_unit: str | None,
    installed_unit: str | None,
    beside: Iterable[Instance] = (),
) -> Plan:
    """Compare a service with its instances on the host.

    `wanted_unit` is the text of the revision's unit, None when check mode has not placed it yet. A timer has no
    template and no instances; what is found of any is left from a service of its name. Instances that autoscale
    may start are restarted where they run an older revision, and otherwise left to it. `beside`: what is left of
    instances under another manager than the one in `found`.
    """
    by_number = {instance.number: instance for instance in found}
    numbers, always = range(1, service.instances + 1), range(1, service.always + 1)
    running = {number for number in numbers if number in by_number and by_number[number].running}
    current = (service.manager, service.revision)
    old = {n for n in running if (by_number[n].manager, by_number[n].revision) != current}
    other = {instance.number: instance for instance in beside}
    template = not service.timer and (wanted_unit is None or wanted_unit != installed_unit)
    return Plan(
        service=service,
        template=template,
        enable=tuple(n for n in always if n not in by_number or not by_number[n].enabled),
        start=tuple(n for n in always if n not in running),
        restart=tuple(sorted(old)),
        stop=tuple(sorted(n for n in by_number if n not in numbers and not by_number[n].gone)),
        leave=tuple(sorted(other)),
        put_back=tuple(
            n for n in sorted(running - old) if n in always and n in servers and servers[n].drained
        ),
        # What runs an older revision shall start as that revision until its turn comes.
        hold=tuple(sorted(n for n in old if template and not by_number[n].held)),
        let_go=tuple(sorted(n for n in running - old if by_number[n].held)),
        found=by_number,
        beside=other,
    )


def usable_elsewhere(servers: Mapping[int, Server], number: int) -> bool:
    """Tell whether another instance on this host gets requests."""
    return any(server.usable for other, server in servers.items() if other != number)


def restarts(plans: Sequence[Plan]) -> list[str]:
    """Return what needs one host at a time."""
    return [line for item in plans for line in item.lines("restart")]


def at_once(plans: Sequence[Plan]) -> list[str]:
    """Return what disturbs no request, and is done on all hosts at the same time."""
    return [line for item in plans for line in item.lines("leave", "enable", "start", "stop", "put_back")]
