"""What the tests of the role `service` share: they look at its instances and run its playbook again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


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
    done = run("ansible-playbook", "-i", "molecule/inventory", "molecule/service/converge.yml", *arguments)
    assert done.returncode == rc, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout
