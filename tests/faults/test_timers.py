"""Timers on several hosts: one run for each moment, whoever dies or comes back."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.cluster import primary, psql, wait_settled
from tests.support.playbook import ROOT, playbook

TICK_SECONDS = 20
ENTRIES = {
    "services_override": {
        "hello": {
            "app": str(ROOT / "tests/e2e/apps/hello"),
            "hosts": "app",
            "instances": 1,
            "port": 5100,
            "routes": ["/hello/"],
            "database": {"name": "hello", "pool": 2, "migrate": ["hello", "migrate"]},
        },
        "hello-tick": {
            "part_of": "hello",
            "command": ["hello", "tick"],
            "schedule": "*-*-* *:*:00",
            "missed": "run",
            "environment": {"TICK_SECONDS": str(TICK_SECONDS)},
        },
    }
}
RUNNING = "select host from tandem.timer_runs where outcome is null and expires_at > clock_timestamp()"
LAST_MOMENT = (
    "select coalesce(max(extract(epoch from moment)), 0) from tandem.timer_runs where outcome = 'succeeded'"
)
# The moments, with those that come twice, since a time: of the runs that succeeded, and of what the job did.
DONE = """select array_agg(moment order by moment) from tandem.timer_runs
  where outcome = 'succeeded' and finished_at > '{}'"""
EFFECTS = (
    "select array_agg(moment order by moment) from greetings where moment is not null and said_at > '{}'"
)
SUCCEEDED = "select count(*) from tandem.timer_runs where outcome = 'succeeded'"
RUNS = "select moment, host, token, started_at, finished_at, outcome from tandem.timer_runs order by token desc limit 9"


@pytest.fixture(scope="module")
def ticking(lab, logs):
    """The timer on all application hosts, since the time that is returned; afterwards the lab is as it was."""
    run = playbook("site.yml", "-e", json.dumps(ENTRIES), log=logs / "timers.log")
    assert run.rc == 0, run.output[-4000:]
    yield ask(lab, "select clock_timestamp()")
    run = playbook("site.yml", log=logs / "timers-removed.log")
    assert run.rc == 0, run.output[-4000:]


def ask(lab, sql):
    return psql(lab, primary(lab), sql, "hello")


def wait(lab, sql, accept, seconds, what):
    """Wait until the answer is accepted, and return it."""
    end, answer = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            answer = ask(lab, sql)
            if accept(answer):
                return answer
        except Exception as error:
            answer = str(error)
        time.sleep(1)
    raise AssertionError(f"no {what} within {seconds} s, but {answer!r}; runs:\n{ask(lab, RUNS)}")


def holder(lab):
    """The host that runs the job; at the beginning of its run."""
    wait(lab, RUNNING, lambda host: not host, 90, "pause")
    return wait(lab, RUNNING, bool, 90, "run")


def check_once(lab, since):
    """Every moment has one success at most, and the job had its effect as often as it succeeded."""
    wait(lab, RUNNING, lambda host: not host, 90, "pause")
    done = ask(lab, DONE.format(since))
    moments = done.strip("{}").split(",")
    assert len(set(moments)) == len(moments) > 1, ask(lab, RUNS)
    assert ask(lab, EFFECTS.format(since)) == done, ask(lab, RUNS)


def test_one_run_for_each_moment(lab, ticking):
    before = int(ask(lab, SUCCEEDED))
    wait(lab, SUCCEEDED, lambda count: int(count) >= before + 2, 180, "two runs")
    check_once(lab, ticking)


def test_a_killed_holders_run_is_taken_over(lab, ticking):
    host = holder(lab)
    moment = ask(lab, "select extract(epoch from max(moment)) from tandem.timer_runs")
    lab.kill(host)
    wait(lab, LAST_MOMENT, lambda last: float(last) >= float(moment), 180, "success of the moment")
    lab.boot(host)
    lab.wait(host)
    time.sleep(65)  # The host that is back has its turn, too.
    check_once(lab, ticking)


def test_a_site_that_returns_runs_nothing_again(lab, ticking):
    host = holder(lab)
    site = host.split("-")[0]
    before = int(ask(lab, SUCCEEDED))
    lab.cut(site)
    wait(lab, SUCCEEDED, lambda count: int(count) >= before + 2, 300, "runs at the other site")
    lab.heal()
    wait_settled(lab)
    time.sleep(65)
    check_once(lab, ticking)
