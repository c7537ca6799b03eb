"""The units task: what it asks of systemd, predicts, changes, and says when a unit fails."""

import json
import os
import subprocess

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import systemd
from ansible_collections.tandem.platform.plugins.module_utils.systemd import Found, UnitError, Wanted

RUNNING = Found(load="loaded", active="active", sub="running", file_state="enabled")
STOPPED = Found(load="loaded", active="inactive", file_state="disabled")
CRASHING = Found(load="loaded", active="activating", sub="auto-restart", file_state="enabled")
MASKED = Found(load="masked", file_state="masked")
UNKNOWN = Found()
STATIC = Found(load="loaded", file_state="static")


def steps_of(found, **wanted):
    units, seen = [Wanted("x.service", **wanted)], {"x.service": found}
    return [
        verb
        for steps in (systemd.unit_file_steps, systemd.enable_steps, systemd.state_steps)
        for verb, names in steps(units, seen)
    ]


@pytest.mark.parametrize(
    ("found", "wanted", "verbs"),
    [
        (RUNNING, {"state": "started", "enabled": True, "masked": False}, []),
        (STOPPED, {"state": "started", "enabled": True}, ["enable", "start"]),
        (CRASHING, {"state": "started"}, ["start"]),
        (RUNNING, {"state": "stopped", "enabled": False}, ["disable", "stop"]),
        (STOPPED, {"state": "stopped", "enabled": False}, []),
        (UNKNOWN, {"state": "stopped", "enabled": False}, []),
        (UNKNOWN, {"masked": True}, ["mask"]),
        (RUNNING, {"masked": True}, ["mask", "stop"]),
        (MASKED, {"masked": True}, []),
        (MASKED, {"masked": False}, ["unmask"]),
        (RUNNING, {"state": "restarted"}, ["restart"]),
        (STOPPED, {"state": "restarted"}, ["restart"]),
        (RUNNING, {"state": "reloaded"}, ["reload"]),
        (STOPPED, {"state": "reloaded"}, ["start"]),
        (RUNNING, {"state": "reloaded_if_running"}, ["reload"]),
        (STOPPED, {"state": "reloaded_if_running"}, []),
        (UNKNOWN, {"state": "reloaded_if_running"}, []),
        (STATIC, {"enabled": True}, []),
        (STATIC, {"enabled": False}, []),
        (RUNNING, {}, []),
    ],
)
def test_steps(found, wanted, verbs):
    assert steps_of(found, **wanted) == verbs


def test_units_of_one_verb_share_a_call():
    units = [Wanted(f"x@{number}.service", state="started") for number in (1, 2)]
    found = {unit.name: STOPPED for unit in units}
    assert systemd.state_steps(units, found) == [("start", ["x@1.service", "x@2.service"])]


@pytest.mark.parametrize(
    ("units", "problem"),
    [
        ([Wanted("x")], "give the whole name, such as x.service"),
        ([Wanted("x.service", masked=True, state="started")], "masked unit can be neither"),
        ([Wanted("x@.service", state="started")], "a template can only be masked"),
        ([Wanted("x.service"), Wanted("x.service")], "listed 2 times"),
    ],
)
def test_contradictions_are_refused(units, problem):
    with pytest.raises(UnitError, match=problem):
        systemd.check(units)


def test_all_units_are_asked_for_in_one_call():
    calls = []

    def systemctl(arguments):
        calls.append(arguments)
        text = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=yes\n"
        return subprocess.CompletedProcess(
            arguments, 0, f"{text}\nLoadState=not-found\nActiveState=inactive\n", ""
        )

    found = systemd.show(["a.service", "b.service"], systemctl)
    assert len(calls) == 1
    assert (found["a.service"].stale, found["a.service"].exists) == (True, True)
    assert (found["b.service"].stale, found["b.service"].exists) == (False, False)


def test_a_machine_without_systemd_is_told():
    def systemctl(arguments):
        return subprocess.CompletedProcess(arguments, 1, "", "System has not been booted with systemd")

    with pytest.raises(UnitError, match="has not been booted with systemd"):
        systemd.show(["a.service"], systemctl)


SYSTEMCTL = '''#!/usr/bin/python3
"""Stands in for systemctl: units live in a JSON file, calls are noted in another."""
import json, os, sys
from pathlib import Path

home = Path(os.environ["FAKE_SYSTEMD"])
units = json.loads((home / "units.json").read_text())
verb, *names = [word for word in sys.argv[1:] if not word.startswith("--")]
with (home / "calls").open("a") as calls:
    print(verb, *names, file=calls)
KEYS = {"load": "LoadState", "active": "ActiveState", "sub": "SubState", "file": "UnitFileState"}
if verb == "show":
    for name in names:
        unit = {"load": "not-found", "active": "inactive", "sub": "dead", "file": "", **units.get(name, {})}
        print("\\n".join(f"{KEYS[key]}={value}" for key, value in unit.items() if key in KEYS) + "\\n")
for name in names if verb != "show" else []:
    unit = units.setdefault(name, {"load": "not-found", "file": ""})
    if verb in ("start", "restart"):
        unit["active"], unit["sub"] = ("failed", "failed") if unit.get("broken") else ("active", "running")
    elif verb == "stop":
        unit["active"], unit["sub"] = "inactive", "dead"
    elif verb in ("enable", "disable"):
        unit["file"] = f"{verb}d"
    elif verb == "mask":
        unit["load"] = unit["file"] = "masked"
(home / "units.json").write_text(json.dumps(units))
broken = [name for name in names if units.get(name, {}).get("broken") and verb in ("start", "restart")]
if broken:
    sys.exit(f"Job for {broken[0]} failed.")
'''
JOURNALCTL = """#!/bin/sh
echo "2026-01-01 host x[1]: cannot open the database"
"""


@pytest.fixture
def machine(player, program, tmp_path):
    """A machine whose systemd knows the given units; its calls can be read afterwards."""
    folder = program("systemctl", SYSTEMCTL)
    program("journalctl", JOURNALCTL)
    player.environment["PATH"] = f"{folder}:{os.environ['PATH']}"
    player.environment["FAKE_SYSTEMD"] = str(tmp_path)

    class Machine:
        def has(self, **units):
            named = {f"{name}.service": unit for name, unit in units.items()}
            (tmp_path / "units.json").write_text(json.dumps(named))

        def units(self, units, *options):
            (tmp_path / "calls").write_text("")
            tasks = [{"name": "Run", "tandem.platform.units": {"units": units}}]
            return player.play(tasks, *options)["Run"]

        def calls(self):
            return [line for line in (tmp_path / "calls").read_text().splitlines() if line[:4] != "show"]

    return Machine()


def test_units_come_up_once_and_are_predicted_alike(machine):
    wanted = [
        {"name": "a.service", "state": "started", "enabled": True},
        {"name": "b.service", "state": "started", "enabled": True},
        {"name": "c.service", "masked": True},
    ]
    machine.has(a={"load": "loaded", "file": "disabled"}, b={"load": "loaded", "file": "enabled"})
    predicted = machine.units(wanted, "--check")
    assert predicted["changed"]
    assert machine.calls() == []
    done = machine.units(wanted)
    assert done["changed_units"] == predicted["changed_units"]
    assert machine.calls() == ["mask c.service", "enable a.service", "start a.service b.service"]
    again = machine.units(wanted)
    assert (again["changed"], machine.calls()) == (False, [])


def test_a_unit_that_does_not_exist_yet_is_predicted_but_not_run(machine):
    machine.has()
    wanted = [{"name": "a.service", "state": "started", "enabled": True}]
    assert machine.units(wanted, "--check")["changed_units"] == ["enable a.service", "start a.service"]
    failed = machine.units(wanted)
    assert failed["failed"]
    assert "a.service does not exist on this host. Next:" in failed["msg"]


def test_a_unit_that_fails_is_shown_with_its_journal(machine):
    machine.has(a={"load": "loaded", "file": "enabled", "broken": True}, b={"load": "loaded"})
    failed = machine.units([{"name": f"{name}.service", "state": "started"} for name in "ab"])
    assert failed["failed"]
    assert "Job for a.service failed" in failed["msg"]
    assert "a.service is failed" in failed["msg"]
    assert "cannot open the database" in failed["msg"]
    assert "journalctl -u a.service" in failed["msg"]
    assert "b.service is" not in failed["msg"]
