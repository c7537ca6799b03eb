"""Run playbooks of the project and read what they did."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)"
    r"\s+failed=(?P<failed>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Run:
    """A playbook's run: return code, seconds, whole output, and per host how many tasks changed something."""

    rc: int
    seconds: float
    output: str
    changed: dict[str, int]

    @property
    def hosts_changed(self) -> dict[str, int]:
        """Only the hosts on which something changed."""
        return {host: count for host, count in self.changed.items() if count}

    def changed_tasks(self) -> list[str]:
        """The tasks that reported a change, with their hosts; for a person who asks what was not idempotent."""
        found, task = [], ""
        for line in self.output.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line.rstrip(" *")
            elif line.startswith("changed:"):
                found.append(f"{task}: {line}")
        return found


def observe(wanted: bool) -> None:
    """Say to every playbook from now on whether the lab has metrics, logs and alerts."""
    os.environ["TANDEM_LAB_OBSERVABILITY"] = str(wanted).lower()


def playbook(name: str, *arguments: str, inventory: str = "inventories/lab", log: Path | None = None) -> Run:
    """Run a playbook on the lab with further arguments; never raises for a failed run."""
    started = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "-i", inventory, name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
            "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        },
    )
    output = done.stdout + done.stderr
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output)
    changed = {match["host"]: int(match["changed"]) for match in RECAP.finditer(output)}
    return Run(done.returncode, time.monotonic() - started, output, changed)
