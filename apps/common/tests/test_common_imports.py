"""What a worker loads: dozens of them start at once after a power loss."""

import os
import subprocess
import sys


def test_a_worker_does_not_load_the_web_framework():
    loaded = "import sys, tandem_common.commands; print(*sys.modules)"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", loaded], env=environment, capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert "pika" in modules
    assert not modules & {"flask", "werkzeug", "alembic"}
