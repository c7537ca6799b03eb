"""Transactions and reads: what is done, what is not, and what nobody knows."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from support.apps import database_settings, empty
from support.postgres import PASSWORD, Server
from support.things import Stopwatch, add, make_common_database, names
from tandem_common.database import Database, make_durable
from tandem_common.problems import OutcomeUnknown, Unavailable
from tandem_common.settings import DatabaseSettings


def make(server: Server, **more: Any) -> Database:
    limits = {"write_wait_seconds": 2, "commit_wait_seconds": 1, "read_wait_seconds": 2}
    return Database(DatabaseSettings(**database_settings(server, "common", **{**limits, **more})))


@pytest.fixture
def broken(own_server: Server) -> Server:
    """A server that the test may stop."""
    return make_common_database(own_server)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


def in_background(call, *arguments):
    pool = ThreadPoolExecutor(1)
    future = pool.submit(call, *arguments)
    pool.shutdown(wait=False)
    return future


# --- what is done and what is not


def test_commits(database):
    database.transaction(add("a"))
    assert database.read(names) == ["a"]
    assert database.read(names, fresh=True) == ["a"]


def test_outcomes_are_counted(common_settings, common_database):
    registry = CollectorRegistry()
    database = Database(DatabaseSettings(**common_settings), registry)
    database.transaction(add("a"))
    common_database.require_missing_standby(True)
    with pytest.raises(OutcomeUnknown):
        database.transaction(add("b"))
    common_database.require_missing_standby(False)
    for outcome in ("committed", "unknown"):
        assert registry.get_sample_value("database_transactions_total", {"outcome": outcome}) == 1
    database.close()
    empty(common_database, "common")


def test_an_exception_rolls_back(database):
    def work(session):
        add("a")(session)
        raise KeyError("no")

    with pytest.raises(KeyError):
        database.transaction(work)
    assert database.read(names) == []


def test_a_constraint_is_no_reason_to_try_again(database):
    database.transaction(add("a"))
    with pytest.raises(IntegrityError):
        database.transaction(add("a"))


def test_a_swallowed_error_is_not_committed(database):
    """COMMIT after a failed statement answers ROLLBACK, without an error."""

    def work(session):
        add("a")(session)
        try:
            session.execute(text("select 1/0"))
        except Exception:
            return "done"

    with pytest.raises(RuntimeError):
        database.transaction(work)
    assert database.read(names) == []


def test_reads_cannot_write(database):
    with pytest.raises(Unavailable):
        database.read(add("a"))
    assert database.read(names) == []


# --- COMMIT of unknown outcome


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
def test_commit_is_unknown_when_its_wait_for_the_standby_is_ended(database, common_database, function):
    common_database.require_missing_standby(True)
    outcome = in_background(lambda: database.transaction(add("a")))
    process = common_database.wait_for_commit_wait()
    common_database.execute(f"select {function}({process})")
    with pytest.raises(OutcomeUnknown):
        outcome.result(5)
    assert database.read(names) == ["a"], "it was committed locally: only that nobody may say so"


def test_commit_is_unknown_when_it_takes_too_long(database, common_database):
    common_database.require_missing_standby(True)
    clock = Stopwatch()
    with pytest.raises(OutcomeUnknown):
        database.transaction(add("a"))
    assert 0.9 < clock.seconds < 2


def test_commit_is_unknown_when_the_server_dies(broken):
    database = make(broken, commit_wait_seconds=5)
    broken.require_missing_standby(True)
    outcome = in_background(lambda: database.transaction(add("a")))
    broken.wait_for_commit_wait()
    broken.kill()
    with pytest.raises(OutcomeUnknown):
        outcome.result(5)
    assert not database.writable()
    broken.start()
    broken.require_missing_standby(False)
    assert database.writable()
    assert database.read(names) == ["a"]
    database.transaction(add("b"))


def test_what_was_read_is_repeated_as_success_only_when_durable(database, common_database):
    """A row that only the primary has must not be shown as a success again."""
    common_database.require_missing_standby(True)
    with pytest.raises(OutcomeUnknown):
        database.transaction(add("a"))
    common_database.execute(
        "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'"
    )

    def repeat(session):
        make_durable(session)
        return names(session)

    with pytest.raises(OutcomeUnknown):
        database.transaction(repeat)
    common_database.require_missing_standby(False)
    assert database.transaction(repeat) == ["a"]


def test_a_refusal_at_commit_is_known(database, common_database):
    common_database.execute(
        "create table later (name text unique deferrable initially deferred); grant all on later to common",
        "common",
    )
    twice = text("insert into later values ('a'), ('a')")
    with pytest.raises(IntegrityError):
        database.transaction(lambda session: session.execute(twice).rowcount)
    common_database.execute("drop table later", "common")


# --- following the primary


def test_a_lost_connection_is_replaced(database, common_database):
    database.transaction(add("a"))
    database.read(names)
    common_database.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'common'")
    database.transaction(add("b"))
    assert database.read(names) == ["a", "b"]


def test_a_connection_lost_half_way_is_tried_again(database, common_database):
    attempts = []

    def work(session):
        attempts.append(session.scalar(text("select pg_backend_pid()")))
        if len(attempts) == 1:
            common_database.execute(f"select pg_terminate_backend({attempts[0]})")
        add("a")(session)

    database.transaction(work)
    assert len(attempts) == 2
    assert database.read(names) == ["a"]


def test_a_node_that_became_read_only_is_left(database, common_database):
    database.transaction(add("a"))
    set_read_only(common_database, True)
    clock = Stopwatch()
    try:
        with pytest.raises(Unavailable) as caught:
            database.transaction(add("b"))
        assert not isinstance(caught.value, OutcomeUnknown)
        assert caught.value.headers["Retry-After"]
        assert clock.seconds < 3.5
        assert not database.writable()
        assert database.read(names, fresh=True) == ["a"], "reads go on"
    finally:
        set_read_only(common_database, False)
    database.transaction(add("b"))
    assert database.writable()


def test_a_node_on_its_way_to_be_the_primary_is_asked_without_a_new_connection(broken):
    """A handshake costs more than a question, and all processes look at once."""
    database = make(broken, write_wait_seconds=5)
    set_read_only(broken, True)
    broken.execute("alter system set log_connections = on")
    broken.execute("select pg_reload_conf()")
    outcome = in_background(lambda: database.transaction(add("a")))
    time.sleep(2)
    assert not outcome.done()
    log = (broken.folder / "log").read_text()
    assert log.count("connection authorized: user=common ") <= 3
    set_read_only(broken, False)
    clock = Stopwatch()
    outcome.result(2)
    assert clock.seconds < 0.6
    database.close()


def test_a_session_waits_on_the_other_node(broken, common_database):
    """After a switchover the first write needs no handshake."""
    set_read_only(common_database, True)
    database = two_hosts(broken, common_database)
    try:
        database.transaction(add("a"))
        assert database.writable()
        waiting = "select count(*) from pg_stat_activity where usename = 'common'"
        assert common_database.execute(waiting) == [(1,)]
        assert database.writable()
        assert common_database.execute(waiting) == [(1,)], "one is enough"
        ids = common_database.execute("select pid from pg_stat_activity where usename = 'common'")
        broken.kill()
    finally:
        set_read_only(common_database, False)
    database.transaction(add("b"))
    assert common_database.execute("select pid from pg_stat_activity where usename = 'common'") == ids
    assert common_database.execute("select name from things", "common") == [("b",)]
    database.close()
    common_database.execute("delete from things", "common")


def test_a_session_that_died_while_it_waited_is_replaced(broken, common_database):
    set_read_only(common_database, True)
    database = two_hosts(broken, common_database)
    try:
        assert database.writable()
        common_database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'common'"
        )
        assert database.writable()
        assert common_database.execute("select count(*) from pg_stat_activity where usename = 'common'") == [
            (1,)
        ]
        broken.kill()
    finally:
        set_read_only(common_database, False)
    database.transaction(add("b"))
    database.close()
    common_database.execute("delete from things", "common")


def set_read_only(server, read_only):
    server.execute(f"alter system set default_transaction_read_only = {'on' if read_only else 'off'}")
    server.execute("select pg_reload_conf()")
    time.sleep(0.1)


def two_hosts(first, second, **more):
    settings = database_settings(second, "common", **more)
    port = first if isinstance(first, int) else first.port
    hosts = f"host=127.0.0.1,127.0.0.1 port={port},{second.port}"
    rest = settings["database_dsn"].split(" ", 2)[2]
    return Database(
        DatabaseSettings(**{**settings, "database_dsn": f"{hosts} {rest}", "write_wait_seconds": 3})
    )


def test_writes_follow_the_primary_to_another_node(broken, common_database):
    """The other node is promoted while a write waits."""
    database = two_hosts(broken, common_database)
    set_read_only(common_database, True)
    try:
        database.transaction(add("a"))
        assert broken.execute("select name from things", "common") == [("a",)]
        broken.kill()
        outcome = in_background(lambda: database.transaction(add("b")))
        time.sleep(1)
        assert not outcome.done()
    finally:
        set_read_only(common_database, False)
    outcome.result(3)
    assert common_database.execute("select name from things", "common") == [("b",)]
    database.close()
    common_database.execute("delete from things", "common")


def test_a_silent_first_host_costs_little(silent_port, common_database):
    database = two_hosts(silent_port, common_database)
    clock = Stopwatch()
    database.transaction(add("a"))
    assert clock.seconds < 1.8
    clock = Stopwatch()
    assert database.read(names) == ["a"]
    assert clock.seconds < 1.8
    database.close()
    clock = Stopwatch()
    database.transaction(add("b"))
    assert clock.seconds < 0.5, "the node that answered is asked first"
    common_database.execute("delete from things", "common")


def test_no_node_at_all(silent_port, common_database):
    settings = database_settings(common_database, "common")
    dsn = settings["database_dsn"].replace(f"port={common_database.port}", f"port={silent_port}")
    database = Database(DatabaseSettings(**{**settings, "database_dsn": dsn, "write_wait_seconds": 1}))
    clock = Stopwatch()
    with pytest.raises(Unavailable):
        database.transaction(add("a"))
    with pytest.raises(Unavailable):
        database.read(names)
    assert not database.readable(0.3)
    assert clock.seconds < 4.5


def test_a_wrong_password_is_not_shown(common_database):
    settings = database_settings(common_database, "common")
    database = Database(
        DatabaseSettings(**{**settings, "database_password": "not-the-one", "write_wait_seconds": 0.5})
    )
    with pytest.raises(Unavailable) as caught:
        database.transaction(add("a"))
    assert "not-the-one" not in str(caught.value.document(None))


# --- a server that hangs


def test_a_stopped_server_holds_nobody(broken):
    """Its connections stay open and answer nothing."""
    database = make(broken, write_wait_seconds=1, read_wait_seconds=1)
    database.transaction(add("a"))
    database.read(names)
    broken.signal(signal.SIGSTOP)
    try:
        clock = Stopwatch()
        with pytest.raises(Unavailable):
            database.transaction(add("b"))
        with pytest.raises(Unavailable):
            database.read(names, fresh=True)
        assert not database.writable(0.3)
        assert clock.seconds < 4.5
    finally:
        broken.signal(signal.SIGCONT)
    database.transaction(add("b"))


def test_reads_leave_a_node_that_hangs(broken, common_database):
    """The own site's node stops while connections to it are open."""
    database = two_hosts(broken, common_database)
    where = text("select inet_server_port()")
    assert database.read(lambda session: session.scalar(where)) == broken.port
    broken.signal(signal.SIGSTOP)
    try:
        clock = Stopwatch()
        assert database.read(lambda session: session.scalar(where)) == common_database.port
        assert clock.seconds < 3
    finally:
        broken.signal(signal.SIGCONT)
    database.close()


def test_slow_statements_are_ended_by_the_server(database):
    clock = Stopwatch()
    with pytest.raises(Unavailable):
        database.read(lambda session: session.scalar(text("select pg_sleep(30)::text")))
    assert clock.seconds < 3


def test_a_lock_is_not_waited_for_without_end(database, common_database):
    blocker = psycopg2.connect(common_database.dsn("common"), password=PASSWORD)
    with blocker.cursor() as cursor:
        cursor.execute("insert into things values ('a')")
    clock = Stopwatch()
    with pytest.raises(Unavailable):
        database.transaction(add("a"))
    assert clock.seconds < 4
    blocker.close()


def test_reads_go_on_while_commits_hang(database, common_database):
    """Eight threads, all commits stuck: some writers hang, the others are refused at once, reads are quick."""
    common_database.require_missing_standby(True)
    stop = time.monotonic() + 2
    refusals = []

    def write(number):
        while time.monotonic() < stop:
            try:
                database.transaction(add(f"{number}-{time.monotonic()}"))
            except OutcomeUnknown:
                pass
            except Unavailable as error:
                refusals.append(error.title)
                time.sleep(0.01)

    with ThreadPoolExecutor(8) as pool:
        list(map(lambda number: pool.submit(write, number), range(6)))
        time.sleep(1.2)
        clock = Stopwatch()
        for _ in range(20):
            database.read(names, fresh=True)
        assert clock.seconds < 1
    assert "Busy" in refusals


def test_too_few_connections_is_no_server_error(database, common_database):
    gate = threading.Event()

    def hold(session):
        session.execute(text("select 1"))
        gate.wait(5)

    with ThreadPoolExecutor(8) as pool:
        holders = [pool.submit(database.read, hold) for _ in range(2)]
        time.sleep(0.2)
        with pytest.raises(Unavailable):
            database.read(names)
        gate.set()
        for holder in holders:
            holder.result(5)


def test_never_more_connections_than_allowed(database, common_database):
    def work(session):
        session.execute(text("select pg_sleep(0.05)::text"))

    def both():
        for call in (database.transaction, database.read):
            with contextlib.suppress(Unavailable):
                call(work)

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(both) for _ in range(40)]
        most = 0
        while not all(future.done() for future in futures):
            rows = common_database.execute("select count(*) from pg_stat_activity where usename = 'common'")
            most = max(most, rows[0][0])
    assert 2 <= most <= 5


def test_reads_use_the_runtime_role_and_say_where_they_come_from(database):
    name = database.read(lambda session: session.scalar(text("select current_setting('application_name')")))
    assert name == "common"
    assert os.environ.get("PGAPPNAME") is None
