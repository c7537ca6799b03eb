"""Instances that follow the requests at the door. In order: each test builds on what the one before has left."""

import json
import time
from contextlib import contextmanager

import pytest

from tests.support.services import converge, environment, show

UNITS = ["busy@1", "busy@2", "busy@3"]
STATE = "/run/tandem-autoscale/state.json"
DOOR = "curl -s -o /dev/null -w '%{http_code}\\n' -H 'X-Tandem-Service: busy' localhost:7443/hello/"


@pytest.fixture(autouse=True)
def root(host):
    with host.sudo():
        yield


@pytest.fixture(scope="module", autouse=True)
def by_hand(host):
    """The controller runs when a test says so, and again by its timer afterwards."""
    with host.sudo():
        host.check_output("systemctl stop tandem-autoscale.timer tandem-autoscale.service")
    yield
    with host.sudo():
        host.run("systemctl start tandem-autoscale.timer")


def look(host):
    host.check_output("systemctl start tandem-autoscale.service")
    return running(host)


def running(host):
    return [unit for unit in UNITS if host.service(unit).is_running]


def state(host):
    return json.loads(host.file(STATE).content_string)["busy"]


def door(host):
    rows = host.check_output(
        "python3 - <<'E'\nimport socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('/run/haproxy/admin.sock')\n"
        "s.sendall(b'show stat svc_busy 4 -1\\n')\nprint(s.makefile().read())\nE"
    ).splitlines()
    return {row.split(",")[1]: row.split(",")[17].split()[0] for row in rows if row.startswith("svc_busy")}


def requests(host, count):
    answers = host.check_output(f"for i in $(seq {count}); do {DOOR}; done").split()
    assert answers == ["200"] * count


@contextmanager
def busy(host):
    """Requests for three instances all the time, none of which may fail, and the controller by its timer."""
    loop = f"while :; do {DOOR}; sleep 0.04; done"
    output = "--property=StandardOutput=append:/run/busy.out"
    host.check_output("rm -f /run/busy.out; systemctl start tandem-autoscale.timer")
    host.check_output(f'systemd-run --unit=busy-load --collect {output} sh -c "{loop}"')
    try:
        yield
    finally:
        host.check_output("systemctl stop busy-load tandem-autoscale.timer tandem-autoscale.service")
    answers = host.file("/run/busy.out").content_string.split()
    assert len(answers) > 50 and set(answers) == {"200"}


def calm(host):
    """Let the calm time be over."""
    found = json.loads(host.file(STATE).content_string)
    found["busy"]["calm_since"] = 0.0
    host.check_output(f"cat > {STATE} <<'E'\n{json.dumps(found)}\nE")


def test_the_least_is_what_a_deploy_starts(host):
    assert running(host) == ["busy@1"]
    assert host.service("busy@1").is_enabled and not host.service("busy@2").is_enabled
    assert host.service("tandem-autoscale.timer").is_enabled
    assert door(host) == {"i1": "UP", "i2": "MAINT", "i3": "MAINT"}
    assert host.run("systemd-analyze security --no-pager --threshold=45 tandem-autoscale.service").rc == 0


def test_requests_start_more(host):
    host.run(f"rm -f {STATE}")
    assert look(host) == ["busy@1"]
    requests(host, 60)
    time.sleep(2)
    assert look(host) == UNITS, state(host)
    assert state(host)["value"] > 5
    assert door(host) == {"i1": "UP", "i2": "UP", "i3": "UP"}
    requests(host, 20)


def test_a_second_run_leaves_them_and_so_does_check_mode(host):
    pids = [show(host, unit, "MainPID") for unit in UNITS]
    with busy(host):
        for arguments in ((), ("--check",)):
            output = converge(*arguments)
            assert "changed=0" in output and "failed=0" in output
    assert [show(host, unit, "MainPID") for unit in UNITS] == pids
    assert door(host) == {"i1": "UP", "i2": "UP", "i3": "UP"}


def test_a_new_release_reaches_what_runs(host):
    with busy(host):
        converge("-e", "molecule_busy_greeting=two")
    assert [environment(host, unit)["GREETING"] for unit in UNITS] == ["two"] * 3
    assert door(host) == {"i1": "UP", "i2": "UP", "i3": "UP"}
    converge()
    host.check_output("systemctl stop tandem-autoscale.timer tandem-autoscale.service")


def test_after_a_reload_of_the_door_they_come_back(host):
    host.check_output("systemctl reload haproxy")
    time.sleep(2)
    look(host)
    assert door(host) == {"i1": "UP", "i2": "UP", "i3": "UP"}


def test_calm_stops_one_at_a_time_and_never_the_last(host):
    look(host)
    for left in (2, 1, 1):
        time.sleep(2.5)
        calm(host)
        assert len(look(host)) == left, state(host)
        requests(host, 5)
    assert door(host) == {"i1": "UP", "i2": "MAINT", "i3": "MAINT"}
    assert not host.service("busy@2").is_enabled
    requests(host, 20)


def test_what_somebody_has_stopped_stays_stopped(host):
    host.check_output("systemctl stop busy@1")
    host.run(f"for i in $(seq 60); do {DOOR}; done")
    time.sleep(2)
    assert look(host) == []
    host.check_output("systemctl start busy@1")
