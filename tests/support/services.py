"""What the tests of the role `service` share: they look at its instances and run its playbook again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.scenario import attempt

ROOT = Path(__file__).resolve().parents[2]
LOAD = ROOT / "molecule/service/files/load.py"
# Requests in flight end, and callers notice that the door is there again.
CALM_SECONDS = 5


def show(host: Any, unit: str, name: str) -> str:
    """Return a property of a unit."""
    return str(host.check_output(f"systemctl show --value --property={name} {unit}"))


def variables(host: Any, process: str) -> dict[str, str]:
    """Return the environment of a process."""
    text = str(host.check_output(f"tr '\\0' '\\n' < /proc/{process}/environ"))
    return dict(line.split("=", 1) for line in text.splitlines())


def environment(host: Any, unit: str) -> dict[str, str]:
    """Return the environment of a unit's process."""
    return variables(host, show(host, unit, "MainPID"))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command at the project's root."""
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def converge(*arguments: str, rc: int = 0) -> str:
    """Run the scenario's playbook with other variables; return what it printed."""
    code, output = attempt(ROOT / "molecule/service/converge.yml", *arguments)
    assert code == rc, output[-7000:]
    return output


@contextmanager
def under_load(host: Any, name: str) -> Iterator[dict[str, Any]]:
    """Have requests sent through the door meanwhile; afterwards the dictionary has what became of them."""
    result: dict[str, Any] = {}
    host.check_output(f"cat > /opt/load.py <<'EOL'\n{LOAD.read_text()}EOL")
    output = f"--property=StandardOutput=file:/run/{name}.out"
    host.check_output(f"systemd-run --unit={name} --collect {output} python3 /opt/load.py {name}")
    try:
        time.sleep(CALM_SECONDS)
        yield result
        time.sleep(CALM_SECONDS)
    finally:
        host.check_output(f"touch /run/{name}.stop")
    deadline = time.monotonic() + 60
    while "sent" not in host.file(f"/run/{name}.out").content_string:
        assert time.monotonic() < deadline, "the load does not end"
        time.sleep(1)
    result |= json.loads(host.file(f"/run/{name}.out").content_string.splitlines()[-1])
    print(result)
