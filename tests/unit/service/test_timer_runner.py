"""Two hosts and one lease, a killed holder, a returning site: exactly one run each time. With a real PostgreSQL."""

import json
import threading
import time

import pytest


def last(world, host):
    return json.loads((world.folder / host / "last.json").read_text())


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


@pytest.fixture
def background(world):
    """Start a runner and go on; returns its thread, which has the exit status in the end."""

    def start(runner):
        thread = threading.Thread(daemon=True, target=lambda: setattr(thread, "status", runner.settle()))
        thread.start()
        return thread

    return start


class TestOneRun:
    def test_every_moment_has_one_run_on_any_number_of_hosts(self, world):
        for number in range(5):
            world.come(world.nine + number)
            assert world.settle(*(world.runner(host) for host in "abc")) == [0, 0, 0]
            assert world.tokens() == list(range(1, number + 2))
        moments = [moment for (moment,) in world.rows("moment")]
        assert len(set(moments)) == 5

    def test_those_that_did_not_run_wait_and_know_how_it_went(self, world, background, capsys):
        first = background(world.runner("a", "echo $LEASE_TOKEN >> RUNS; sleep 0.7; exit 3"))
        eventually(world.tokens)
        assert world.settle(world.runner("b")) == [0]
        first.join()
        assert first.status == 3
        assert world.tokens() == [1]
        told = last(world, "b")
        assert (told["host"], told["outcome"], told["exit_code"]) == ("a", "failed", 3)
        assert told["last_success"] is None
        out = capsys.readouterr().out
        assert "timer digest: waiting: a runs " in out
        assert "outcome=failed host=a exit_code=3" in out

    def test_holder_that_died_is_succeeded(self, world):
        assert world.store("dead", lease=0.5).take(world.nine, world.nine + 300).token == 1
        started = time.monotonic()
        assert world.settle(world.runner("b"), world.runner("c")) == [0, 0]
        assert time.monotonic() - started < 3
        assert world.tokens() == [2]
        assert [row[2] for row in world.rows()] == ["lost", "succeeded"]

    def test_run_that_lasts_longer_than_its_lease_keeps_it(self, world, background):
        runner = world.runner("a", 'echo "$LEASE_TOKEN" >> RUNS; sleep 2.5', lease_seconds=1.0)
        thread = background(runner)
        eventually(world.tokens)
        assert world.settle(world.runner("b")) == [0]
        thread.join(10)
        assert thread.status == 0 and world.tokens() == [1]

    def test_runner_that_died_and_starts_again_goes_on_at_once(self, world):
        world.store("a", lease=60).take(world.nine, world.nine + 300)
        assert world.settle(world.runner("a")) == [0]
        assert world.tokens() == [2]

    def test_site_that_comes_back_runs_nothing_again(self, world, background):
        world.cut_off = {"b"}
        returning = background(world.runner("b", catch_up=True))
        assert world.settle(world.runner("a")) == [0]
        world.now += 1200  # beyond the time in which a run may begin
        eventually(lambda: (world.folder / "b" / "last.json").exists())
        assert last(world, "b")["outcome"] == "missed"
        world.cut_off = set()
        returning.join(10)
        assert returning.status == 0
        assert world.tokens() == [1]
        assert (last(world, "b")["host"], last(world, "b")["outcome"]) == ("a", "succeeded")

    def test_holder_that_is_cut_off_ends_its_job_before_another_host_begins(self, world, background):
        job = 'echo "$LEASE_TOKEN" >> RUNS; trap "echo 0 >> RUNS; exit" TERM; while :; do sleep 0.05; done'
        isolated = world.runner("a", job)
        thread = background(isolated)
        eventually(world.tokens)
        world.cut_off = {"a"}
        isolated.store.close()
        assert world.settle(world.runner("b")) == [0]
        # 0 is the end of the first run's job.
        assert world.tokens() == [1, 0, 2]
        world.cut_off = set()
        thread.join(10)
        assert thread.status == 0
        assert [row[1:3] for row in world.rows()] == [("a", "lost"), ("b", "succeeded")]

    def test_database_that_is_away_for_less_than_the_lease_disturbs_no_run(self, breakable_world):
        world, server = breakable_world, breakable_world.server
        runner = world.runner("a", 'echo "$LEASE_TOKEN" >> RUNS; sleep 2', lease_seconds=10)
        thread = threading.Thread(daemon=True, target=runner.settle)
        thread.start()
        eventually(world.tokens)
        server.stop()
        time.sleep(2.2)  # the job ends meanwhile
        server.start()
        thread.join(10)
        assert world.tokens() == [1]
        assert world.rows("outcome") == [("succeeded",)]

    def test_stopped_run_is_taken_over_at_once(self, world, background):
        runner = world.runner("a", 'echo "$LEASE_TOKEN" >> RUNS; exec sleep 30')
        thread = background(runner)
        eventually(world.tokens)
        other = background(world.runner("b"))
        runner.clock.stopped.set()
        thread.join(10)
        other.join(10)
        assert (thread.status, other.status) == (0, 0)
        assert world.rows() == [(1, "a", "stopped", None), (2, "b", "succeeded", 0)]


class TestMissed:
    def test_skipped_when_nobody_could_in_time(self, world, capsys):
        world.come(world.nine - 3600)
        world.now = float(world.nine)
        assert world.settle(world.runner("a")) == [0]
        assert world.tokens() == [] and world.rows() == []
        assert "outcome=missed host=a" in capsys.readouterr().out

    def test_caught_up_once(self, world):
        world.come(world.nine - 3600)
        world.now = float(world.nine)
        both = (world.runner("a", catch_up=True), world.runner("b", catch_up=True))
        assert world.settle(*both) == [0, 0]
        assert world.tokens() == [1]

    def test_without_a_primary_in_time_it_is_missed_here(self, world, background):
        world.cut_off = {"a"}
        thread = background(world.runner("a"))
        time.sleep(0.3)
        assert thread.is_alive()
        world.now += 301
        thread.join(10)
        assert thread.status == 75
        assert last(world, "a")["outcome"] == "missed"

    def test_primary_that_comes_in_time(self, world, background):
        world.cut_off = {"a"}
        thread = background(world.runner("a"))
        time.sleep(0.3)
        world.cut_off = set()
        thread.join(10)
        assert thread.status == 0 and world.tokens() == [1]

    def test_moment_that_comes_while_a_run_lasts_is_run_after_it(self, world, background):
        thread = background(world.runner("a", 'echo "$LEASE_TOKEN" >> RUNS; sleep 0.5'))
        eventually(world.tokens)
        world.come(world.nine + 1)
        thread.join(10)
        assert world.tokens() == [1, 2]

    def test_before_the_first_moment_there_is_nothing_to_do(self, world):
        world.next = lambda seconds: None
        assert world.settle(world.runner("a")) == [0]
        assert world.rows() == []


class TestJob:
    def test_job_is_told_moment_and_token(self, world):
        world.settle(world.runner("a", 'echo "$SCHEDULED_AT $LEASE_TOKEN" > RUNS'))
        moment, token = world.runs.read_text().split()
        assert moment == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(world.nine)) and token == "1"

    def test_time_is_up(self, world):
        runner = world.runner("a", "sleep 30", timeout_seconds=0.3)
        assert world.settle(runner) == [124]
        assert world.rows("outcome, exit_code") == [("timeout", 143)]

    def test_children_end_with_the_job_that_ignores_its_end(self, world):
        command = "trap '' TERM; (sleep 30; echo child >> RUNS) & echo $$ > RUNS; wait; wait"
        started = time.monotonic()
        assert world.settle(world.runner("a", command, timeout_seconds=0.3)) == [124]
        assert time.monotonic() - started < 10
        assert world.rows("exit_code") == [(137,)]

    def test_command_that_is_not_there(self, world):
        runner = world.runner("a")
        runner.plan.command[:] = ["/nowhere/job"]
        assert world.settle(runner) == [127]
        assert world.rows("outcome, exit_code") == [("failed", 127)]

    def test_last_success_outlives_failures(self, world):
        world.settle(world.runner("a"))
        success = last(world, "a")["last_success"]
        assert success == world.now
        world.come(world.nine + 1)
        world.settle(world.runner("a", "exit 5"))
        assert (last(world, "a")["outcome"], last(world, "a")["last_success"]) == ("failed", success)


class TestEveryHost:
    def test_each_host_has_a_run_and_no_lease(self, world):
        both = [world.runner(host, "echo 7 >> RUNS; echo x$LEASE_TOKEN", lease_seconds=None) for host in "ab"]
        assert world.settle(*both) == [0, 0]
        assert world.tokens() == [7, 7] and world.rows() == []
        assert last(world, "a")["outcome"] == "succeeded"

    def test_missed_runs_are_skipped_or_caught_up(self, world):
        world.come(world.nine - 3600)
        world.now = float(world.nine)
        assert world.settle(world.runner("a", lease_seconds=None)) == [0]
        assert world.tokens() == []
        command = "echo 7 >> RUNS"
        assert world.settle(world.runner("a", command, lease_seconds=None, catch_up=True)) == [0]
        assert world.tokens() == [7]
