"""The thin edges: SQL and its order, limits on waiting, the journal, the answer to --status."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime

import psycopg2
import pytest
from guard_samples import DEGRADED, PRIMARY, STALLED, STANDBY, play, view
from stall_guard import journal, monitor, primary, status
from stall_guard.database import NoAnswer, connect, first_line, position
from stall_guard.decisions import Kind, Result
from stall_guard.observations import Reading, Refused, Unanswered

NODE_ROWS = [
    (1, "msk", "10.0.0.1", 5432, 0, "primary", "primary", 1, 50, True, 0.5, 0.4, "0/2000", "12:00"),
    (2, "spb", "10.0.0.2", 5432, 0, "secondary", "secondary", 1, 50, True, 0.5, 0.4, "0/1000", "12:00"),
]
MARKER_ROW = ("spb", "msk", "degraded", 50)


class FakeConnection:
    """Answers statements that contain a key of `answers`; an exception there is raised."""

    def __init__(self, **answers) -> None:
        self.answers = {
            "pgautofailover.node": NODE_ROWS,
            "number_sync_standbys": [(0,)],
            "from stall_guard.degraded": [],
            "max(at)": [(None,)],
        } | answers
        self.statements = []
        self.closed = 0
        self.rowcount = 1
        self.rows = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def cursor(self):
        return self

    def execute(self, statement, values=()):
        self.statements.append((" ".join(statement.split()), values))
        self.rows = next((rows for key, rows in self.answers.items() if key in statement), [])
        if isinstance(self.rows, Exception):
            raise self.rows

    def fetchall(self):
        return self.rows

    def fetchone(self):
        return self.rows[0] if self.rows else None

    def close(self):
        self.closed = 1

    def said(self, *beginnings):
        return [s for s, _ in self.statements if s.startswith(beginnings)]


@pytest.fixture
def opened(monkeypatch):
    """Return a function that makes both adapters use a fake connection."""

    def use(**answers):
        connection = FakeConnection(**answers)
        for module in (monitor, primary, status):
            monkeypatch.setattr(module, "connect", lambda *_, **__: connection)
        return connection

    return use


@pytest.fixture
def degrade():
    return play(view(), STALLED, 30)[1]


def test_the_monitor_is_read_as_of_one_instant(opened):
    connection = opened(**{"from stall_guard.degraded": [MARKER_ROW], "max(at)": [(12.5,)]})
    seen = monitor.Monitor("", "default").read()
    assert [node.name for node in seen.nodes] == ["msk", "spb"]
    assert (seen.nodes[0].position, seen.nodes[0].wal_age, seen.nodes[0].changed) == (0x2000, 0.4, "12:00")
    assert (seen.sync_standbys, seen.marker, seen.failover_age) == (0, DEGRADED, 12.5)
    assert connection.said("create", "begin", "commit")[1:] == [
        "begin isolation level repeatable read, read only",
        "commit",
    ]


def test_a_decision_runs_in_one_transaction_and_looks_again_before_commit(opened, degrade):
    connection = opened()
    views = []
    outcome = monitor.Monitor("", "default").apply(degrade, lambda seen: views.append(seen))
    assert outcome.result is Result.DONE
    assert len(views) == 1
    told = [s for s, _ in connection.statements[1:] if not s.startswith("select nodeid")]
    assert told == [
        "begin",
        monitor.NOBODY_REPORTS,
        "select pgautofailover.set_node_candidate_priority(%s, %s, %s)",
        "select pgautofailover.set_node_replication_quorum(%s, %s, %s)",
        "insert into stall_guard.degraded (formation, standby, primary_node, phase, priority)"
        " values (%s, %s, %s, %s, %s)",
        *[
            " ".join(s.split())
            for s in (monitor.SYNC_STANDBYS, monitor.MARKER, monitor.LAST_FAILOVER, monitor.LOG)
        ],
        "commit",
    ]
    values = dict(connection.statements)
    assert values["select pgautofailover.set_node_candidate_priority(%s, %s, %s)"] == ("default", "spb", 0)


def test_a_doubt_rolls_back(opened, degrade):
    connection = opened()
    outcome = monitor.Monitor("", "default").apply(degrade, lambda _: "no longer leads")
    assert (outcome.result, outcome.reason) == (Result.REFUSED, "no longer leads")
    assert connection.said("rollback", "commit", "insert into stall_guard.log") == ["rollback"]


def test_an_error_before_commit_means_not_done(opened, degrade):
    connection = opened(
        set_node_replication_quorum=psycopg2.OperationalError("deadlock detected\nDETAIL: ...")
    )
    outcome = monitor.Monitor("", "default").apply(degrade, lambda _: None)
    assert (outcome.result, outcome.reason) == (Result.REFUSED, "deadlock detected")
    assert connection.closed
    assert connection.said("commit") == []


def test_an_error_in_commit_means_unknown(opened, degrade):
    connection = opened(commit=NoAnswer("no answer within 4 s"))
    outcome = monitor.Monitor("", "default").apply(degrade, lambda _: None)
    assert outcome.result is Result.UNKNOWN
    assert connection.closed


def test_a_marker_that_has_changed_refuses_the_decision(opened):
    _, gone = play(view(marker=DEGRADED, nodes=(PRIMARY, STANDBY)), STALLED, 0)
    assert gone.kind is Kind.CLOSE
    again = play(view({}, {"priority": 0}, DEGRADED), STALLED, 0)[1]
    connection = opened()
    connection.rowcount = 0
    outcome = monitor.Monitor("", "default").apply(again, lambda _: None)
    assert outcome.result is Result.REFUSED
    assert "changed meanwhile" in outcome.reason


def test_a_lost_monitor_is_connected_to_again(opened):
    connection = opened()
    reader = monitor.Monitor("", "default")
    reader.read()
    connection.closed = 1
    reader.read()
    assert len(connection.said("create schema")) == 2
    reader.close()
    reader.close()


ROW = (True, False, False, True, True, True, "1/2000", "1/1000")


def test_a_reading_of_the_primary(opened):
    connection = opened(pg_has_role=[ROW])
    asked = primary.Primary("")
    for _ in range(2):
        reading = asked.ask(PRIMARY, STANDBY)
    assert reading == Reading(False, False, True, True, True, (1 << 32) + 0x2000, (1 << 32) + 0x1000)
    assert connection.statements[0][1] == ("pgautofailover_standby_2",)


def test_a_role_that_may_not_see_standbys_is_no_stall(opened):
    opened(pg_has_role=[(False, *ROW[1:])])
    assert primary.Primary("").ask(PRIMARY, STANDBY) == Refused(primary.NOT_PERMITTED)


def test_an_error_is_an_answer(opened):
    opened(pg_has_role=psycopg2.OperationalError("the database system is starting up"))
    assert primary.Primary("").ask(PRIMARY, STANDBY) == Refused("the database system is starting up")


@pytest.fixture
def silent_server():
    """A port on which connections are accepted and never answered, like that of a stopped postmaster."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def node_at(port: int):
    return replace(PRIMARY, host="127.0.0.1", port=port)


def test_silence_is_not_waited_for(silent_server, monkeypatch):
    monkeypatch.setattr(primary._NodeConnection, "limit", 0.2)
    asked = primary.Primary("user=guard dbname=postgres", clock=lambda: 77.0)
    started = time.monotonic()
    assert asked.ask(node_at(silent_server), STANDBY) == Unanswered(77.0)
    assert time.monotonic() - started < 5.0


def test_a_closed_port_is_an_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = primary.Primary("user=guard dbname=postgres").ask(node_at(port), STANDBY)
    assert isinstance(answer, Refused)


def test_connections_have_limits_on_both_sides(monkeypatch):
    given = {}
    monkeypatch.setattr(psycopg2, "connect", lambda **values: given.update(values) or FakeConnection())
    connect(
        "user=guard connect_timeout=9", primary._NodeConnection, {"lock_timeout": "2000"}, host="h", port=1
    )
    assert given["options"] == "-c lock_timeout=2000"
    assert (given["host"], given["connect_timeout"], given["tcp_user_timeout"]) == ("h", "9", "2000")


def test_positions_and_errors_for_the_log():
    assert position("2/10") == (2 << 32) + 16
    assert first_line(ValueError(" one\ntwo ")) == "one"
    assert first_line(ValueError()) == "ValueError"


SINCE = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_status_of_a_degraded_pair(opened):
    opened(
        **{
            "to_regclass": [(True,)],
            "from stall_guard.degraded": [(*MARKER_ROW, SINCE, 61.26)],
            "from stall_guard.log": [(SINCE, "degraded", "spb", "msk", "spb is set aside")],
        }
    )
    found = status.status("", "default")
    assert json.loads(json.dumps(found)) == found
    assert found["degraded"] is True
    assert found["marker"]["behind_bytes"] == 0x1000
    assert (found["marker"]["since"], found["marker"]["seconds"]) == ("2026-11-22T12:00:00+00:00", 61.3)
    assert found["nodes"][1] == {
        "name": "spb",
        "reported": "secondary",
        "assigned": "secondary",
        "health": 1,
        "priority": 50,
        "quorum": True,
        "report_age_seconds": 0.5,
        "position": "0/1000",
    }
    assert found["events"][0]["event"] == "spb is set aside"


def test_status_when_the_guard_has_never_run(opened):
    connection = opened(to_regclass=[(False,)])
    found = status.status("", "default")
    assert (found["degraded"], found["marker"], found["events"]) == (False, None, [])
    assert connection.closed


def test_lines_are_json_and_carry_a_priority_for_the_journal(monkeypatch, capsys):
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    journal.say("notice", "degraded", "why", standby="spb")
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    journal.say("warning", "odd", "what")
    plain, marked = capsys.readouterr().out.splitlines()
    assert json.loads(plain) == {"level": "notice", "event": "degraded", "message": "why", "standby": "spb"}
    assert marked.startswith('<4>{"level": "warning"')


def test_notifications_reach_the_service_manager(monkeypatch, tmp_path):
    journal.notify("READY=1")
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        journal.notify("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"
