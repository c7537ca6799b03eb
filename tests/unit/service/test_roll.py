"""Restarts behind a drain, on a host and a door that only exist here."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.module_utils.instances_door import Server
from ansible_collections.tandem.platform.plugins.module_utils.instances_managers import Managers
from ansible_collections.tandem.platform.plugins.module_utils.instances_plan import Expected, plan
from ansible_collections.tandem.platform.plugins.module_utils.instances_roll import (
    Clock,
    Roller,
    RollError,
    Times,
)
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import (
    Instance,
    Systemd,
    SystemdError,
)

USERS = Expected("users", "new", 2, 5000, "/health/ready")


@dataclass
class Host(Systemd):
    """systemd, the door and the clock of a host; everything that happens is written down in `events`."""

    units: dict = field(default_factory=dict)  # number -> revision that runs
    template_text: str = "old"
    holds: dict = field(default_factory=dict)
    broken: set = field(default_factory=set)  # revisions that do not start
    sick: set = field(default_factory=set)  # revisions that start and are not healthy
    servers_: dict = field(default_factory=dict)  # number -> status
    sessions: dict = field(default_factory=dict)  # number -> seconds until its requests have ended
    drained: set = field(default_factory=set)
    events: list = field(default_factory=list)
    time: float = 0.0
    folder: Path = Path("/nonexistent")

    # systemd
    def call(self, verb, *arguments):
        names = [name for name in arguments if not name.startswith("-")]
        if verb == "restart":
            for name in names:
                self.start_unit(int(name.split("@")[1].split(".")[0]))
        elif verb == "stop":
            for name in names:
                self.units.pop(int(name.split("@")[1].split(".")[0]), None)
                self.events.append(f"stop {name.split('.')[0]}")
        elif verb != "reset-failed":
            self.events.append(f"{verb} {' '.join(name.split('.')[0] for name in names)}")
        return ""

    def start_unit(self, number):
        revision = self.holds.get(number, self.template_text)
        self.events.append(f"start {number} as {revision}")
        if revision in self.broken:
            self.units.pop(number, None)
            raise SystemdError("Job failed")
        self.units[number] = revision

    def reload(self):
        pass

    def forget_failures(self, *units):
        pass

    def instances(self, services, counts):
        return {service: [self.instance(service, n) for n in sorted(self.units)] for service in services}

    def instance(self, service, number):
        if number not in self.units:
            return Instance(service, number, active="failed", sub="failed", result="exit-code", restarts=2)
        return Instance(service, number, "active", "running", pid=number, revision=self.units[number])

    def template(self, service):
        return self.template_text

    def held_text(self, service, number):
        return self.holds.get(number)

    def hold(self, service, number, text):
        self.holds[number] = text

    def release(self, service, number):
        self.holds.pop(number, None)

    def write_template(self, service, text):
        self.template_text = text

    def journal(self, unit, service, *identifiers):
        return f"(journal of {unit})"

    # the door
    def servers(self, service):
        found = {}
        for number, status in self.servers_.items():
            left = self.sessions.get(number, 0)
            found[number] = Server(status, 1 if left > self.time else 0)
        return found

    def take_out(self, service, number):
        self.events.append(f"take out {number}")
        self.servers_[number] = "DRAIN"

    def put_back(self, service, number, healthy):
        self.events.append(f"put back {number}" if healthy else f"let the door check {number}")
        self.servers_[number] = "UP" if healthy else "DOWN"

    def drain(self, service):
        self.events.append(f"drain {service}")
        self.drained.add(service)

    def undrain(self, service):
        self.events.append(f"undrain {service}")
        self.drained.discard(service)

    # the clock and the health
    def sleep(self, seconds):
        if seconds >= 1:
            self.events.append(f"wait {seconds:g}")
        self.time += seconds

    def health(self, port, path):
        revision = self.units.get(port - 4999)
        return f"{path} answers 503" if revision in self.sick or revision is None else ""

    def roller(self, **more):
        clock = Clock(lambda: self.time, self.sleep)
        return Roller(
            Managers(self), self, Times(start=60, drain=30, notice=5, back=4), clock, self.health, **more
        )


def deployed(**changes):
    """Two instances run `old`; the template is new, so that both are held at the old one."""
    values = {"units": {1: "old", 2: "old"}, "template_text": "new", "holds": {1: "old", 2: "old"}, **changes}
    return Host(**values)


def test_instance_is_drained_restarted_and_put_back():
    host = deployed(servers_={1: "UP", 2: "UP"})
    host.roller().restart(USERS, 1)
    assert host.events == ["take out 1", "start 1 as new", "put back 1"]
    assert host.units == {1: "new", 2: "old"} and host.holds == {2: "old"}


def test_restart_waits_for_requests_in_flight():
    host = deployed(servers_={1: "UP", 2: "UP"}, sessions={1: 7})
    host.roller().restart(USERS, 1)
    assert 7 <= host.time < 8


def test_restart_does_not_wait_for_ever_for_requests():
    host = deployed(servers_={1: "UP", 2: "UP"}, sessions={1: 1e9})
    host.roller().restart(USERS, 1)
    assert 30 <= host.time < 32


@pytest.mark.parametrize("other", ["DOWN", "DRAIN", "MAINT"])
def test_last_usable_instance_sends_callers_elsewhere_first(other):
    host = deployed(servers_={1: "UP", 2: other})
    host.roller().restart(USERS, 1)
    assert host.events == [
        "drain users",
        "wait 5",
        "take out 1",
        "start 1 as new",
        "put back 1",
        "undrain users",
        "wait 4",
    ]


def test_unusable_instance_is_restarted_at_once():
    host = deployed(servers_={1: "DOWN", 2: "DOWN"})
    host.roller().restart(USERS, 1)
    assert "drain users" not in host.events


def test_nobody_is_sent_elsewhere_where_there_is_no_elsewhere():
    host = deployed(servers_={1: "UP"})
    host.roller(alone=frozenset({"users"})).restart(USERS, 1)
    assert host.events == ["take out 1", "start 1 as new", "put back 1"]


def test_host_without_a_door_restarts_plainly():
    host = deployed()
    host.roller().restart(USERS, 1)
    assert host.events == ["start 1 as new"]


@pytest.mark.parametrize("kind", ["broken", "sick"])
def test_instance_that_does_not_come_up_goes_back(kind):
    host = deployed(servers_={1: "UP", 2: "UP"}, **{kind: {"new"}})
    with pytest.raises(RollError) as error:
        host.roller().restart(USERS, 1)
    text = str(error.value)
    assert "users@1 on" in text and "does not come up with revision new" in text
    assert "It runs its previous revision again." in text
    assert "(journal of users@1.service)" in text and "Next: " in text
    assert host.units == {1: "old", 2: "old"} and host.holds == {1: "old", 2: "old"}
    assert "put back 1" in host.events


def test_service_is_never_left_drained():
    host = deployed(servers_={1: "UP", 2: "DOWN"}, broken={"new", "old"})
    with pytest.raises(RollError, match="does not come up either"):
        host.roller().restart(USERS, 1)
    assert host.drained == set()
    assert host.events[-2:] == ["let the door check 1", "undrain users"]


def test_process_of_another_revision_is_not_taken_for_the_new_one():
    host = deployed(servers_={1: "UP", 2: "UP"})
    host.template_text = "neither"
    with pytest.raises(RollError, match="the process is of revision neither"):
        host.roller().restart(USERS, 1)


def test_plain_restart_keeps_the_revision_that_runs():
    host = deployed(servers_={1: "UP", 2: "UP"})
    host.roller().restart(USERS, 1, move=False)
    assert host.events == ["take out 1", "start 1 as old", "put back 1"] and host.holds[1] == "old"


def test_worker_must_live_for_a_while():
    host = deployed()
    worker = Expected("users", "new", 2)
    host.roller().restart(worker, 1)
    assert host.time >= 3


def found(host, *numbers):
    return [
        Instance("users", n, "active", "running", pid=n, revision=host.units[n], enabled=True)
        for n in numbers
    ]


def test_prepare_holds_what_runs_and_starts_only_what_is_missing():
    host = Host(units={1: "old"}, template_text="old")
    todo = plan(USERS, found(host, 1), {}, "new", "old")
    roller = host.roller()
    assert roller.prepare(todo, "new")
    roller.start([todo])
    assert host.holds == {1: "old"} and host.template_text == "new"
    assert host.units == {1: "old", 2: "new"}
    assert host.events == ["enable users@2", "start 2 as new"]


def test_start_that_fails_says_so():
    host = Host(template_text="new", broken={"new"})
    todo = plan(USERS, [], {}, "new", None)
    with pytest.raises(RollError, match=r"users@1 on .* does not come up: systemd says failed"):
        host.roller().start([todo])


def test_stop_of_surplus_instances_is_drained():
    host = deployed(servers_={1: "UP", 2: "UP", 3: "UP"}, units={1: "new", 2: "new", 3: "old"})
    host.roller().stop(plan(USERS, found(host, 1, 2, 3), {}, "new", "new"))
    assert host.events[:2] == ["take out 3", "stop users@3"]


def test_whole_service_leaves_before_it_stops():
    host = deployed(servers_={1: "UP", 2: "UP"})
    host.roller().leave_and_stop(USERS, [1, 2])
    assert host.events[:4] == ["drain users", "wait 5", "take out 1", "take out 2"]
    assert host.events[4:6] == ["stop users@1", "stop users@2"] and host.events[-1] == "undrain users"
    assert not any(event.startswith("disable") for event in host.events)


def test_unless_stopped_stays_stopped_after_a_boot():
    host = deployed()
    host.roller().leave_and_stop(Expected("users", "new", 2, restart="unless-stopped"), [1, 2])
    assert "disable users@1 users@2" in host.events


def test_reload_is_checked():
    host = deployed(sick={"old"})
    with pytest.raises(RollError, match="not well after its reload"):
        host.roller().reload(USERS, 1)
