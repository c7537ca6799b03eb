"""Metrics of processes without a port."""

import http.client
import socket
import stat

import pytest
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import text
from structlog.testing import CapturingLogger
from tandem_common import exposing
from tandem_common.database import Database, after_commit
from tandem_common.exposing import expose, process_registry
from tandem_common.settings import DatabaseSettings, ServiceSettings


class Caller(http.client.HTTPConnection):
    """A caller on a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(self.path))


def ask(path, target="/metrics", method="GET"):
    caller = Caller(path)
    caller.request(method, target)
    answer = caller.getresponse()
    return answer.status, answer.read().decode()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "1.sock"


def test_a_registry_is_shown_on_a_socket(place):
    registry = CollectorRegistry()
    counter = Counter("works", "Works", registry=registry)
    server = expose(registry, place)
    counter.inc()
    assert "works_total 1.0" in ask(place)[1]
    assert ask(place, "/")[0] == 404
    assert ask(place, method="POST")[0] == 501
    assert stat.S_IMODE(place.stat().st_mode) == 0o666
    server.shutdown()
    server.server_close()


def test_the_socket_of_a_process_that_was_killed_is_replaced(place):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(place))
    left.close()
    registry = process_registry(
        ServiceSettings(metrics_socket=str(place)), [Counter("own", "Own", registry=None)]
    )
    status, page = ask(place)
    assert status == 200
    assert "own_total 0.0" in page
    assert "process_resident_memory_bytes" in page
    assert registry.get_sample_value("own_total") == 0


def test_a_socket_that_can_not_be_made_stops_nothing(tmp_path, monkeypatch):
    log = CapturingLogger()
    monkeypatch.setattr(exposing, "log", log)
    registry = process_registry(ServiceSettings(metrics_socket=str(tmp_path / "missing" / "1.sock")))
    assert registry.get_sample_value("process_open_fds") > 0
    assert [call.args for call in log.calls] == [("metrics are not shown",)]


def test_without_a_socket_nothing_is_served(tmp_path):
    process_registry(ServiceSettings())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def measured(common_settings):
    registry = CollectorRegistry()
    database = Database(DatabaseSettings(**{**common_settings, "database_pool": 5}), registry)
    yield database, registry
    database.close()


def test_pools_are_measured(measured):
    database, registry = measured
    seen = []

    def work(session):
        session.execute(text("select 1"))
        seen.append(registry.get_sample_value("database_pool_checked_out", {"pool": "primary"}))

    database.transaction(work)
    database.read(lambda session: session.execute(text("select 1")))
    assert seen == [1]
    assert registry.get_sample_value("database_pool_checked_out", {"pool": "primary"}) == 0
    assert registry.get_sample_value("database_pool_size", {"pool": "primary"}) == 3
    assert registry.get_sample_value("database_pool_size", {"pool": "near"}) == 2
    assert registry.get_sample_value("database_pool_wait_seconds_count", {"pool": "primary"}) == 1
    assert registry.get_sample_value("database_pool_wait_seconds_count", {"pool": "near"}) == 1


def test_what_is_to_be_done_after_a_commit_is_done_after_it_alone(measured):
    database, _ = measured
    done = []

    def work(session):
        session.execute(text("select 1"))
        after_commit(session, lambda: done.append("done"))

    database.transaction(work)
    assert done == ["done"]

    def fails(session):
        work(session)
        raise LookupError

    with pytest.raises(LookupError):
        database.transaction(fails)
    assert done == ["done"]
