# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Starts and stops instances of this host's services as their metrics ask; a timer runs it again and again.

`python3 -m tandem_host.autoscale_controller` on a host; the role service places it there. It acts only on numbers
between `min` and `max`, never on a service whose first `min` instances are all stopped: that was somebody's wish.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import service_host
from .autoscale_metrics import FOLDER, Sample, queue_length, rate, sample
from .autoscale_rule import Rule, decide
from .instances_door import Door, DoorError
from .instances_managers import Managers
from .instances_plan import Expected
from .instances_roll import Roller, RollError, Times
from .instances_systemd import Systemd, SystemdError, write

# An instance that did not come up is not tried again for so long.
PAUSE_SECONDS = 120.0
# Together shorter than a deploy waits for this one (service_host.PATIENCE_SECONDS).
TIMES = Times(start=45.0, drain=30.0)
UNITS = {"request_rate": "requests/s", "queue_length": "messages"}
Memory = dict[str, Any]


@dataclass(frozen=True)
class Scaled:
    """A service of this host whose number of instances follows a metric."""

    service: Expected
    metric: str
    rule: Rule

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    @staticmethod
    def read(manifest: Mapping[str, Any]) -> Scaled:
        """Read a manifest that has `autoscale`."""
        values = manifest["autoscale"]
        rule = Rule(int(values["min"]), int(values["max"]), float(values["per_instance"]))
        return Scaled(Expected.read(manifest), str(values["metric"]), rule)


@dataclass
class Controller:
    """One look at all services. `memory`: by service what the look before left, as it is kept in a file."""

    roller: Roller
    memory: dict[str, Memory] = field(default_factory=dict)
    now: Callable[[], float] = time.monotonic
    lock: Path = service_host.LOCK

    def run(self, services: Sequence[Scaled]) -> bool:
        """Look after all services; returns whether all went well."""
        self.memory = {item.name: self.memory.get(item.name, {}) for item in services}
        done = [self._attend(item, self.memory[item.name]) for item in services]
        return all(done)

    def _attend(self, scaled: Scaled, memory: Memory) -> bool:
        memory["value"] = value = self._value(scaled, memory)
        try:
            with service_host.exclusive(self.lock, patience=0):
                self._act(scaled, value, memory)
        except service_host.HostError:
            print(f"{scaled.name}: a deploy is at work on this host; nothing done")
        except (RollError, SystemdError, DoorError) as error:
            memory["failed_at"] = self.now()
            print(f"<3>{error}")
            return False
        return True

    def _value(self, scaled: Scaled, memory: Memory) -> float | None:
        if scaled.metric == "queue_length":
            return queue_length(scaled.name, self.roller.managers.systemd)
        after = sample(scaled.name, self.roller.door, self.now())
        before, memory["sample"] = Sample.read(memory.get("sample")), asdict(after) if after else None
        return rate(before, after)

    def _act(self, scaled: Scaled, value: float | None, memory: Memory) -> None:
        service, least = scaled.service, scaled.rule.least
        running = self._running(service)
        above = [number for number in running if number > least]
        if len(above) == len(running):
            # Somebody has stopped the service, or it can't run at all.
            memory["calm_since"] = None
            return
        self._put_back(service, above)
        decision = decide(scaled.rule, least + len(above), value, memory.get("calm_since"), self.now())
        memory["calm_since"] = decision.calm_since
        missing = decision.instances - least - len(above)
        reason = f"{value or 0:.1f} {UNITS[scaled.metric]}"
        if missing > 0 and not self._pausing(memory):
            self._grow(service, self._free(scaled, running)[:missing], reason)
        elif missing < 0 and self._can_spare(scaled, running, above[-1]):
            print(f"stop {scaled.name}@{above[-1]}: {reason}", flush=True)
            self.roller.shrink(service, above[-1])

    def _running(self, service: Expected) -> list[int]:
        found = self.roller.managers.instances({}, {service.name: service.manager})[service.name]
        return [item.number for item in found.instances if item.running and item.number <= service.instances]

    def _free(self, scaled: Scaled, running: Sequence[int]) -> list[int]:
        numbers = range(scaled.rule.least + 1, scaled.rule.most + 1)
        return [number for number in numbers if number not in running]

    def _pausing(self, memory: Memory) -> bool:
        failed_at = memory.get("failed_at")
        return failed_at is not None and self.now() - float(failed_at) < PAUSE_SECONDS

    def _grow(self, service: Expected, numbers: Sequence[int], reason: str) -> None:
        units = ", ".join(f"{service.name}@{number}" for number in numbers)
        print(f"start {units}: {reason}", flush=True)
        self.roller.grow(service, numbers)

    def _put_back(self, service: Expected, above: Sequence[int]) -> None:
        """Let in again what runs and is not in the door: after a reload of HAProxy, or a stop that was cut short."""
        servers = self.roller.door.servers(service.name)
        for number in above:
            address = service.address(number)
            if number in servers and servers[number].drained and address and not self.roller.health(*address):
                self.roller.door.put_back(service.name, number, healthy=True)

    def _can_spare(self, scaled: Scaled, running: Sequence[int], number: int) -> bool:
        """Tell whether those that would stay really work."""
        others = [other for other in running if other != number]
        servers = self.roller.door.servers(scaled.name)
        usable = all(servers[other].usable for other in others if other in servers)
        return usable and len(others) >= scaled.rule.least


def scaled_services() -> list[Scaled]:
    """Return the services of this host whose number of instances follows a metric."""
    manifests = [service_host.manifest(name) for name in service_host.deployed()]
    return [Scaled.read(manifest) for manifest in manifests if manifest.get("autoscale")]


def load(path: Path) -> dict[str, Memory]:
    """Return what the look before left, {} where it left nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def main() -> int:
    """Look once; the exit status is 1 when something did not come up or down."""
    state = FOLDER / "state.json"
    controller = Controller(Roller(Managers(Systemd()), Door(), TIMES), load(state))
    try:
        done = controller.run(scaled_services())
    except service_host.HostError as error:
        print(f"<3>{error}")
        return 1
    write(state, json.dumps(controller.memory, indent=1, sort_keys=True) + "\n")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
