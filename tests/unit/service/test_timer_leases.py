"""Whose turn it is: the rules with a clock of the test's own, then the statements on a real PostgreSQL."""

import signal
import threading
import time

import psycopg2
import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_timers
from timer_runner import leases
from timer_runner.leases import Run, UnknownOutcome, decide

from apps.tests.support.postgres import PASSWORD
from tests.unit.service.conftest import asking
from tests.unit.service.timer_world import JOB

NINE, TEN, GRACE, EVER = 1000.0, 4600.0, 1300.0, float("inf")


def running(host="a", moment=NINE, expires=1060.0):
    return Run(moment, host, expires)


def finished(moment=NINE):
    return Run(moment, "a", 1060.0, finished=1010.0, outcome="succeeded", exit_code=0)


class TestRules:
    @pytest.mark.parametrize(
        ("newest", "moment", "now", "start_until", "kind"),
        [
            (None, NINE, NINE, GRACE, "take"),  # the first run ever
            (finished(), NINE, 1020, GRACE, "settled"),  # done
            (finished(), NINE, 9000, EVER, "settled"),  # the same host hours later, back from a cut
            (finished(TEN), NINE, 4700, EVER, "settled"),  # a host whose clock is behind
            (finished(), TEN, TEN, TEN + 300, "take"),  # the next moment
            (running(), NINE, 1059, GRACE, "wait"),  # somebody is at it
            (running(), NINE, 1060, GRACE, "take"),  # and died
            (running(), NINE, 9000, GRACE, "take"),  # and died, long ago: what was begun is completed
            (running(), TEN, 1059, TEN, "wait"),  # a run that lasts beyond the next moment
            (running(), TEN, TEN, TEN + 300, "take"),  # the one before was lost
            (running("b"), NINE, 1001, GRACE, "take"),  # our own, of a runner that died
            (running("b", TEN), NINE, 1001, 0, "take"),  # our own, though our clock was set back
            (None, NINE, 1301, GRACE, "late"),  # nobody could in time
            (finished(0.0), NINE, 1301, GRACE, "late"),
            (finished(0.0), NINE, 9000, EVER, "take"),  # caught up
            (None, TEN, NINE, EVER, "wait"),  # this host's clock is an hour ahead
        ],
    )
    def test_rule(self, newest, moment, now, start_until, kind):
        assert decide(newest, moment, "b", now, start_until) == kind

    def test_lease_of_a_stopped_run_is_free_at_once(self):
        assert decide(Run(NINE, "a", 1005.0, outcome="stopped"), NINE, "b", 1005.0, GRACE) == "take"


class TestStore:
    def test_two_hosts_one_lease(self, world):
        first, second = world.store("a"), world.store("b")
        taken, other = first.take(world.nine, EVER), second.take(world.nine, EVER)
        assert (taken.kind, taken.token) == ("take", 1)
        assert (other.kind, other.run.host, other.token) == ("wait", "a", None)
        assert first.finish(1, "succeeded", 0)
        settled = second.take(world.nine, EVER)
        assert (settled.kind, settled.run.outcome, settled.run.exit_code) == ("settled", "succeeded", 0)
        assert settled.run.seconds >= 0
        assert world.rows() == [(1, "a", "succeeded", 0)]

    def test_many_hosts_at_the_same_time(self, world):
        kinds = []
        stores = [world.store(str(number)) for number in range(6)]
        gate = threading.Barrier(len(stores))

        def attempt(store):
            gate.wait()
            kinds.append(store.take(world.nine, EVER).kind)

        threads = [threading.Thread(daemon=True, target=attempt, args=[store]) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(kinds) == ["take"] + ["wait"] * 5

    def test_killed_holder_is_succeeded_and_can_do_nothing_more(self, world):
        dead, heir = world.store("a", lease=0.3), world.store("b")
        assert dead.take(world.nine, EVER).token == 1
        assert heir.take(world.nine, EVER).kind == "wait"
        time.sleep(0.35)
        answer = heir.take(world.nine, 0)  # whatever the time: it was begun
        assert (answer.kind, answer.token) == ("take", 2)
        assert not dead.renew(1) and not dead.finish(1, "succeeded", 0) and not dead.give_back(1)
        assert heir.renew(2) and heir.finish(2, "failed", 3)
        assert world.rows() == [(1, "a", "lost", None), (2, "b", "failed", 3)]

    def test_renewal_keeps_others_waiting(self, world):
        holder, other = world.store("a", lease=0.4), world.store("b")
        holder.take(world.nine, EVER)
        for _ in range(4):
            time.sleep(0.2)
            assert holder.renew(1)
        assert other.take(world.nine, EVER).kind == "wait"

    def test_lease_that_is_given_back_is_free(self, world):
        holder, other = world.store("a"), world.store("b")
        holder.take(world.nine, EVER)
        assert holder.give_back(1)
        assert other.take(world.nine, EVER).token == 2
        assert world.rows("outcome") == [("stopped",), (None,)]

    def test_jobs_have_nothing_to_do_with_each_other(self, world):
        assert world.store("a").take(world.nine, EVER).kind == "take"
        assert world.store("a", job="cleanup").take(world.nine, EVER).kind == "take"

    def test_history_is_limited(self, world, monkeypatch):
        monkeypatch.setattr(leases, "HISTORY", 3)
        store = world.store("a")
        for number in range(6):
            token = store.take(world.nine + number, EVER).token
            store.finish(token, "succeeded", 0)
        assert world.rows("token") == [(4,), (5,), (6,)]

    def test_job_that_holds_its_row_while_it_writes_cannot_be_overtaken(self, world):
        """The fence of docs/scheduler.md: a transaction that has checked the token ends before another run begins."""
        holder, heir = world.store("a", lease=0.3), world.store("b")
        token = holder.take(world.nine, EVER).token
        connection, _ = world.connect()
        with connection.cursor() as cursor:
            cursor.execute("select from tandem.timers where job = %s and token = %s for share", (JOB, token))
            assert cursor.rowcount == 1
            assert holder.renew(token)  # is not in its own job's way
            time.sleep(0.35)
            with pytest.raises(psycopg2.OperationalError):
                heir.take(world.nine, EVER)
            connection.commit()
            assert heir.take(world.nine, EVER).token == 2
            cursor.execute("select from tandem.timers where job = %s and token = %s for share", (JOB, token))
            assert cursor.rowcount == 0
        connection.close()

    def test_commit_that_its_standby_did_not_get_is_no_lease(self, breakable_world):
        server, store = breakable_world.server, breakable_world.store("a")
        store.take(breakable_world.nine - 60, EVER)
        store.finish(1, "succeeded", 0)
        server.require_missing_standby(True)
        failed = []

        def attempt():
            try:
                store.take(breakable_world.nine, EVER)
            except (UnknownOutcome, psycopg2.OperationalError) as error:
                failed.append(error)

        thread = threading.Thread(daemon=True, target=attempt)
        thread.start()
        server.execute(f"select pg_cancel_backend({server.wait_for_commit_wait()})")
        thread.join(10)
        assert len(failed) == 1 and "might not have been replicated" in str(failed[0])
        # Once it is acknowledged, it is: the lease in our own name is taken again.
        server.require_missing_standby(False)
        assert store.take(breakable_world.nine, EVER).token == 3

    def test_commit_that_waits_for_its_standby_is_given_up(self, breakable_world):
        breakable_world.server.require_missing_standby(True)
        started = time.monotonic()
        with pytest.raises(psycopg2.OperationalError):
            breakable_world.store("a").take(breakable_world.nine, EVER)
        assert time.monotonic() - started < 5

    def test_server_that_hangs_is_given_up(self, breakable_world):
        store = breakable_world.store("a")
        store.take(breakable_world.nine, EVER)
        breakable_world.server.signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(psycopg2.OperationalError):
            store.renew(1)
        assert time.monotonic() - started < 5
        breakable_world.server.signal(signal.SIGCONT)
        assert store.renew(1)


class TestTables:
    def test_tables_as_wanted_are_left_alone(self, world):
        assert postgres_timers.timer_steps(asking(world.server), "shop", "shop") == []

    def test_privileges_that_are_missing_are_given(self, breakable_world):
        server = breakable_world.server
        server.execute("revoke delete on tandem.timer_runs from shop", "shop")
        (step,) = postgres_timers.timer_steps(asking(server), "shop", "shop")
        for statement in step.statements:
            server.execute(statement, "shop")
        assert postgres_timers.timer_steps(asking(server), "shop", "shop") == []

    @pytest.mark.parametrize(
        "statement",
        [
            "delete from tandem.timers",
            "drop table tandem.timer_runs",
            "create table tandem.mine (x int)",
            "alter table tandem.timers add x int",
        ],
    )
    def test_service_may_use_the_tables_and_not_change_them(self, world, statement):
        connection = psycopg2.connect(world.server.dsn("shop", "shop"), password=PASSWORD)
        with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)
        connection.close()

    def test_view_for_exporters(self, world):
        store = world.store("a")
        columns = "last_host, last_outcome, last_exit_code, running, last_success_at is null"
        query = f"select {columns} from tandem.timer_status"
        store.take(world.nine, EVER)
        assert world.server.execute(query, "shop") == [("a", None, None, True, True)]
        store.finish(1, "succeeded", 0)
        assert world.server.execute(query, "shop") == [("a", "succeeded", 0, False, False)]
        store.take(world.nine + 1, EVER)
        store.finish(2, "failed", 4)
        assert world.server.execute(query, "shop") == [("a", "failed", 4, False, False)]
