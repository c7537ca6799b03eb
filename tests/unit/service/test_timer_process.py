"""The runner as its unit starts it: a process of its own, with the controller's systemd and a real PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.tests.support.postgres import PASSWORD

FILES = Path(__file__).resolve().parents[3] / "roles/service/files"
JOB = 'echo "$LEASE_TOKEN $SCHEDULED_AT $$" >> RUNS; if [ "$LEASE_TOKEN" = 1 ]; then exec sleep 60; fi'


@pytest.fixture
def start(world, tmp_path):
    """Start the runner on a host."""
    started = []
    (tmp_path / "database_password").write_text(PASSWORD + "\n")
    plan = {
        "job": "digest",
        "calendar": "hourly UTC",
        "command": ["/bin/sh", "-c", JOB.replace("RUNS", str(world.runs))],
        "catch_up": True,
        "timeout_seconds": 60,
        "grace_seconds": 300,
        "lease_seconds": 20,
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    def start(host):
        (tmp_path / host).mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FILES),
            "HOST_NAME": host,
            "STATE_DIRECTORY": str(tmp_path / host),
            "CREDENTIALS_DIRECTORY": str(tmp_path),
            "DATABASE_DSN": world.server.dsn("shop", "shop"),
        }
        command = [sys.executable, "-s", "-m", "timer_runner", str(tmp_path / "plan.json")]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stopped_run_goes_to_the_host_that_waits(world, start):
    first = start("a")
    until(world.tokens_written)
    second = start("b")
    first.send_signal(signal.SIGTERM)
    assert (first.wait(30), second.wait(30)) == (0, 0)
    lines = [line.split() for line in world.runs.read_text().splitlines()]
    assert [line[0] for line in lines] == ["1", "2"]
    assert lines[0][1] == lines[1][1] and lines[0][1].endswith(":00:00Z")
    assert "outcome=stopped host=a" in first.stdout.read()
    assert "outcome=succeeded host=b exit_code=0" in second.stdout.read()


def test_killed_runner_begins_again_where_it_was(world, start):
    first = start("a")
    until(world.tokens_written)
    first.kill()
    first.wait()
    # As its unit does.
    os.kill(int(world.runs.read_text().split()[2]), signal.SIGKILL)
    assert start("a").wait(30) == 0
    assert [row[2] for row in world.rows()] == ["lost", "succeeded"]
    assert start("b").wait(30) == 0
    assert len(world.rows()) == 2
