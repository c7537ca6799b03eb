"""What the exporter makes of databases' answers."""

import psycopg2
import pytest
from platform_exporter import postgres


class Cursor:
    def __init__(self, answers, asked):
        self.answers, self.asked = answers, asked

    def execute(self, statement):
        self.asked.append(statement)
        self.rows = self.answers.get(statement)
        if isinstance(self.rows, Exception):
            raise self.rows

    def fetchall(self):
        return self.rows


class World:
    """A server with these answers; counts its connections."""

    def __init__(self, answers):
        self.answers, self.asked, self.connections, self.closed = answers, [], 0, 0

    def connect(self, dsn, **options):
        self.connections += 1
        self.options = options
        return self

    def cursor(self):
        return Cursor(self.answers, self.asked)

    def close(self):
        self.closed += 1


DOWN = psycopg2.OperationalError("down")


def connection(answers):
    world = World(answers)
    return postgres.Connection("dbname=x", world.connect), world


def test_a_connection_is_kept_and_made_anew_after_an_error():
    made, world = connection({"a": [(1,)], "b": DOWN})
    assert made.ask("a", "a") == [[(1,)], [(1,)]]
    made.ask("a")
    assert world.connections == 1
    with pytest.raises(psycopg2.Error):
        made.ask("b")
    made.ask("a")
    assert (world.connections, world.closed) == (2, 1)
    assert "default_transaction_read_only=on" in world.options["options"]


def test_monitor(values):
    rows = [("a", "primary", "primary", 1, True), ("b", "secondary", "catchingup", 0, True)]
    found = values(postgres.monitor(connection({postgres.NODES: rows})[0]))
    assert found == {
        ("tandem_postgres_monitor_reachable",): 1,
        ("tandem_postgres_node_state", "a", "primary", "primary"): 1,
        ("tandem_postgres_node_state", "b", "secondary", "catchingup"): 1,
        ("tandem_postgres_node_state_mismatch", "a"): 0,
        ("tandem_postgres_node_state_mismatch", "b"): 1,
        ("tandem_postgres_node_health", "a"): 1,
        ("tandem_postgres_node_health", "b"): 0,
        ("tandem_postgres_sync_standbys",): 0,
    }


@pytest.mark.parametrize(
    ("standby", "count"),
    [
        (("secondary", "secondary", 1, True), 1),
        (("secondary", "secondary", 1, False), 0),
        (("secondary", "secondary", 0, True), 0),
        (("secondary", "prepare_promotion", 1, True), 0),
    ],
)
def test_standbys_that_commits_wait_for(values, standby, count):
    rows = [("a", "primary", "primary", 1, True), ("b", *standby)]
    assert values(postgres.node_families(rows))["tandem_postgres_sync_standbys",] == count


def test_a_monitor_that_does_not_answer_is_a_value(values):
    assert values(postgres.monitor(connection({postgres.NODES: DOWN})[0])) == {
        ("tandem_postgres_monitor_reachable",): 0
    }


@pytest.mark.parametrize(("rows", "marker", "seconds"), [([], 0, 0), ([(12.5,)], 1, 12.5)])
def test_stall_guard(values, monkeypatch, rows, marker, seconds):
    monkeypatch.setattr(postgres, "shown", lambda units: {units[0]: {"ActiveState": "active"}})
    assert values(postgres.stall_guard(connection({postgres.MARKER: rows})[0])) == {
        ("tandem_stall_guard_active",): 1,
        ("tandem_stall_guard_marker",): marker,
        ("tandem_stall_guard_stalled_seconds",): seconds,
    }


def test_databases(values):
    connections = {
        "orders": connection({postgres.OUTBOX: [(3, 1.5)], postgres.LEASES: [("tick", "app1", 20.0)]})[0],
        "users": connection({postgres.OUTBOX: [], postgres.LEASES: []})[0],
    }
    assert values(postgres.databases(connections)) == {
        ("tandem_outbox_oldest_seconds", "orders"): 1.5,
        ("tandem_outbox_rows", "orders"): 3,
        ("tandem_lease_holder_info", "tick", "app1"): 1,
        ("tandem_lease_expires_seconds", "tick"): 20,
    }


def test_a_database_that_does_not_answer_is_an_error():
    connections = {"orders": connection({postgres.OUTBOX: DOWN})[0]}
    with pytest.raises(psycopg2.Error):
        list(postgres.databases(connections))
