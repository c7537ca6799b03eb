"""supervisord's listener that starts again what supervisord has given up."""

import json
import stat
import xmlrpc.client

import pytest
import supervisord_revive


def program(name, state=supervisord_revive.FATAL, stop=100, now=130):
    return {"group": name, "name": name, "state": state, "stop": stop, "now": now}


class Server:
    def __init__(self, *programs, refuses=()):
        self.programs, self.refuses, self.started = programs, refuses, []

    def getAllProcessInfo(self):
        return list(self.programs)

    def startProcess(self, name, wait):
        assert wait is False
        if name in self.refuses:
            raise xmlrpc.client.Fault(50, f"SPAWN_ERROR: {name}")
        self.started.append(name)


@pytest.mark.parametrize(
    ("changes", "started"),
    [
        ({}, True),
        ({"now": 129}, False),
        ({"state": 20}, False),  # RUNNING
        ({"state": 0}, False),  # STOPPED by hand
        ({"state": 100}, False),  # EXITED, as its policy allows
    ],
)
def test_only_what_was_given_up_some_time_ago_is_started(changes, started):
    server = Server(program("users@1", **changes))
    supervisord_revive.revive(server, server.programs)
    assert bool(server.started) is started


def test_a_program_that_still_fails_keeps_no_other_from_its_start(capsys):
    server = Server(program("users@1"), program("users@2"), refuses={"users@1:users@1"})
    supervisord_revive.revive(server, server.programs)
    assert server.started == ["users@2:users@2"]
    assert "SPAWN_ERROR" in capsys.readouterr().err


def test_states_are_written_down_for_everybody_to_read(tmp_path):
    path = tmp_path / "programs-abc.json"
    programs = [
        {"name": "users@1", "statename": "RUNNING", "pid": 7},
        {"name": "users@2", "statename": "FATAL", "pid": 0},
        {"name": "revive", "statename": "RUNNING", "pid": 8},
    ]
    supervisord_revive.write_states(programs, path)
    assert json.loads(path.read_text()) == {
        "users@1": {"state": "RUNNING", "pid": 7},
        "users@2": {"state": "FATAL", "pid": 0},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]
