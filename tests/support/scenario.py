"""What the roles' tests share: they run their scenario's playbooks again, and ask hosts."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

INVENTORY = Path(__file__).resolve().parents[2] / "molecule/inventory"


def said(host: Any, command: str) -> str:
    """Output of a command that succeeds."""
    result = host.run(command)
    assert result.rc == 0, f"{command}: {result.stdout}{result.stderr}"
    return str(result.stdout).strip()


def attempt(playbook: Path, *options: str, **variables: Any) -> tuple[int, str]:
    """Run a playbook of a scenario; its return code and output."""
    done = subprocess.run(
        [
            "ansible-playbook",
            f"--inventory={INVENTORY}",
            str(playbook),
            *options,
            "-e",
            json.dumps(variables),
        ],
        env=os.environ | {"ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def play(playbook: Path, *options: str, **variables: Any) -> str:
    """Run a playbook of a scenario, which must succeed; its output."""
    code, output = attempt(playbook, *options, **variables)
    assert code == 0, output
    return output
