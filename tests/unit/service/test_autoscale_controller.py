"""The controller of a host's instances, on a host and a door that only exist here."""

import ast
import json
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import (
    autoscale_controller,
    autoscale_metrics,
    service_host,
)
from ansible_collections.tandem.platform.plugins.module_utils.autoscale_controller import Controller, Scaled
from ansible_collections.tandem.platform.plugins.module_utils.autoscale_metrics import Sample, rate
from ansible_collections.tandem.platform.plugins.module_utils.autoscale_rule import CALM_SECONDS
from ansible_collections.tandem.platform.plugins.module_utils.instances_door import DoorError
from ansible_collections.tandem.platform.plugins.plugin_utils import autoscaling

from .test_roll import Host

MANIFEST = {
    "name": "users",
    "revision": "new",
    "instances": 4,
    "port": 5000,
    "health": "/health/ready",
    "autoscale": {"min": 1, "max": 4, "metric": "request_rate", "per_instance": 10, "measure": None},
}
MODULES = Path(autoscale_controller.__file__).resolve().parent


class Busy(Host):
    """A host whose door counts requests."""

    pid = "1"
    counted = 0
    reachable = True

    def __init__(self, **values):
        super().__init__(**values)
        self.servers_ = self.servers_ or {
            number: "UP" if number in self.units else "MAINT" for number in range(1, 5)
        }
        self.template_text = "new"

    def requests(self):
        if not self.reachable:
            raise DoorError("HAProxy does not answer")
        return {"users": self.counted}

    def process(self):
        return self.pid

    def close(self, service, number):
        self.events.append(f"close {number}")
        self.servers_[number] = "MAINT"


class World:
    """Looks of the controller, each 12 s after the other."""

    def __init__(self, tmp_path, **host):
        self.host = Busy(**host)
        self.lock = tmp_path / "lock"
        self.controller = Controller(self.host.roller(), {}, lambda: self.host.time, self.lock)
        self.manifest = MANIFEST

    def look(self, per_second=None):
        self.host.time += 12
        self.host.counted += int(12 * (per_second or 0))
        self.host.events.clear()
        # As from its file.
        self.controller.memory = json.loads(json.dumps(self.controller.memory))
        self.ok = self.controller.run([Scaled.read(self.manifest)])
        return sorted(self.host.units)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, units={1: "new"})


def test_the_first_look_changes_nothing(world):
    assert world.look(1000) == [1]


def test_goes_up_by_as_many_as_needed(world):
    world.look()
    assert world.look(35) == [1, 2, 3, 4]
    assert world.host.servers_ == {1: "UP", 2: "UP", 3: "UP", 4: "UP"}
    assert not any(event.startswith("enable") for event in world.host.events)


def test_goes_down_one_by_one_behind_the_drain(tmp_path):
    world = World(tmp_path, units={1: "new", 2: "new", 3: "new"})
    world.look()
    world.host.sessions = {3: 1e9}
    looks = [world.look(1) for _ in range(int(CALM_SECONDS / 12) + 1)]
    assert looks[-2:] == [[1, 2, 3], [1, 2]]
    assert world.host.events == ["take out 3", "stop users@3", "disable users@3", "close 3"]
    assert world.host.servers_[3] == "MAINT"
    assert world.look(1) == [1, 2]


def test_never_stops_one_whose_fellows_do_not_work(tmp_path):
    world = World(tmp_path, units={1: "new", 2: "new"})
    world.host.servers_[1] = "DOWN"
    for _ in range(30):
        assert world.look(1) == [1, 2]


def test_a_reload_of_the_door_is_no_drop_of_requests(world):
    world.look()
    world.look(35)
    world.host.counted, world.host.pid = 100_000, "2"
    world.look()
    assert world.controller.memory["users"]["value"] is None


def test_what_runs_comes_back_into_the_door_after_its_reload(tmp_path):
    world = World(tmp_path, units={1: "new", 2: "new"})
    world.host.servers_[2] = "MAINT"
    world.look()
    assert world.host.servers_[2] == "UP"


def test_what_is_not_healthy_stays_out(tmp_path):
    world = World(tmp_path, units={1: "new", 2: "new"}, sick={"new"})
    world.host.servers_[2] = "MAINT"
    world.look()
    assert world.host.servers_[2] == "MAINT"


def test_a_door_that_does_not_answer_changes_nothing(tmp_path, capsys):
    world = World(tmp_path, units={1: "new", 2: "new"})
    world.host.reachable = False
    for _ in range(30):
        assert world.look(1000) == [1, 2]
    assert "HAProxy does not answer" in capsys.readouterr().out


def test_a_stopped_service_stays_stopped(tmp_path):
    world = World(tmp_path, units={})
    for _ in range(3):
        assert world.look(1000) == []
    assert world.host.events == []


def test_does_nothing_while_a_deploy_is_at_work(world, capsys):
    world.look()
    with service_host.exclusive(world.lock):
        assert world.look(35) == [1]
    assert world.ok and "nothing done" in capsys.readouterr().out
    assert world.look(35) == [1, 2, 3, 4]


def test_one_that_does_not_come_up_is_stopped_and_not_tried_at_once(world, capsys):
    world.look()
    world.host.broken = {"new"}
    assert world.look(35) == [1] and not world.ok
    assert "users@2" in capsys.readouterr().out
    assert world.look(35) == [1] and world.host.events == []
    world.host.broken = set()
    for _ in range(10):
        found = world.look(35)
    assert found == [1, 2, 3, 4]


def test_starts_by_what_is_installed_even_if_a_release_is_on_its_way(world):
    world.look()
    world.host.template_text = "newer"
    world.look(15)
    assert world.host.units == {1: "new", 2: "newer"}


class TestQueueLength:
    @pytest.fixture
    def world(self, tmp_path, monkeypatch):
        world = World(tmp_path, units={1: "new"})
        world.manifest = {
            **MANIFEST,
            "port": None,
            "health": None,
            "autoscale": {**MANIFEST["autoscale"], "metric": "queue_length"},
        }
        world.host.servers_ = {}
        self.length = "25"
        monkeypatch.setattr(autoscale_controller, "queue_length", self.measure)
        self.folder = tmp_path
        return world

    def measure(self, service, systemd):
        def call(*arguments):
            assert arguments == ("start", "--", f"{service}-queue-length.service")
            if self.length is not None:
                (self.folder / f"{service}.length").write_text(self.length + "\n")

        systemd.call, before = call, systemd.call
        try:
            return autoscale_metrics.queue_length(service, systemd, self.folder)
        finally:
            systemd.call = before

    def test_is_asked_at_every_look(self, world):
        assert world.look() == [1, 2, 3]

    @pytest.mark.parametrize("length", ["", "many", "-5", None])
    def test_no_number_changes_nothing(self, world, length):
        world.look()
        self.length = length
        for _ in range(30):
            assert world.look() == [1, 2, 3]

    def test_an_old_length_is_not_taken_for_a_new_one(self, world):
        world.look()
        self.length = None
        world.look()
        assert world.controller.memory["users"]["value"] is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Sample("1", 100, 10.0), Sample("1", 340, 22.0), 20.0),
        (Sample("1", 100, 10.0), Sample("2", 340, 22.0), None),
        (Sample("1", 100, 10.0), Sample("1", 40, 22.0), None),
        (Sample("1", 100, 10.0), Sample("1", 400, 10.5), None),
        (None, Sample("1", 340, 22.0), None),
        (Sample("1", 100, 10.0), None, None),
    ],
)
def test_rate(before, after, expected):
    assert rate(before, after) == expected


def test_a_host_gets_every_module_that_the_controller_imports():
    found, todo = set(), ["autoscale_controller"]
    while todo:
        name = todo.pop()
        found.add(name)
        for node in ast.walk(ast.parse((MODULES / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                todo += [other for other in names if other not in found]
    assert found == set(autoscaling.MODULES)
