"""Shared by the tests of the plugins: short playbooks on this machine, in a folder of the test."""

from __future__ import annotations

import getpass
import grp
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# The collection's own import path, as Ansible sees it.
sys.path.insert(0, str(ROOT / "collections"))

SETTINGS = f"""
[defaults]
collections_path = {ROOT / "collections"}
stdout_callback = ansible.posix.json
interpreter_python = /usr/bin/python3
inject_facts_as_vars = false

[inventory]
host_pattern_mismatch = ignore
"""


@dataclass(frozen=True)
class Played:
    """What a playbook did: return code, all output, and the result of each task by host and task name."""

    rc: int
    output: str
    results: dict[str, dict[str, dict[str, Any]]]

    def __getitem__(self, task: str) -> dict[str, Any]:
        """Return the only host's result of a task."""
        (of_host,) = self.results.values()
        return of_host[task]

    @property
    def ran(self) -> list[str]:
        """Names of the tasks and handlers that ran on the only host."""
        (of_host,) = self.results.values()
        return list(of_host)


class Player:
    """Runs plays on this machine without SSH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment: dict[str, str] = {}
        (directory / "ansible.cfg").write_text(SETTINGS)

    def play(self, tasks: Any, *options: str, hosts: str = "here", **play: Any) -> Played:
        """Run tasks (a list of task mappings) as one play and read the results.

        `hosts` are names, separated by commas, or the path of an inventory.
        """
        book = [{"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks, **play}]
        path = self.directory / "play.yml"
        path.write_text(yaml.safe_dump(book, sort_keys=False))
        inventory = hosts if "/" in hosts else f"{hosts},"
        return self._run(str(path), f"--inventory={inventory}", *options)

    def playbook(self, name: str, groups: dict[str, Any], *plays: dict[str, Any]) -> Played:
        """Run a playbook of the collection on the hosts of these groups, then the given plays."""
        inventory, book = self.directory / "hosts.yml", self.directory / "book.yml"
        inventory.write_text(yaml.safe_dump(groups))
        book.write_text(yaml.safe_dump([{"import_playbook": str(ROOT / "playbooks" / name)}, *plays]))
        return self._run(str(book), f"--inventory={inventory}")

    def _run(self, *arguments: str) -> Played:
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", *arguments],
            cwd=self.directory,
            env={**os.environ, "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"), **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Played(done.returncode, done.stdout + done.stderr, read_results(done.stdout))


def read_results(printed: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the results by host and task from the JSON report; empty when no play came to run."""
    start = f"\n{printed}".find("\n{\n")
    results: dict[str, dict[str, dict[str, Any]]] = {}
    if start >= 0:
        report, _ = json.JSONDecoder().raw_decode(printed[start:])
        for task in [task for played in report["plays"] for task in played["tasks"]]:
            for host, result in task["hosts"].items():
                results.setdefault(host, {})[task["task"]["name"]] = result
    return results


@pytest.fixture
def player(tmp_path: Path) -> Player:
    """A player in a folder of its own."""
    directory = tmp_path / "play"
    directory.mkdir()
    return Player(directory)


@pytest.fixture(scope="session")
def me() -> dict[str, str]:
    """Owner and group that the person who runs the tests can give to files."""
    return {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that puts a program of the test's own onto PATH's folder and returns that folder."""

    def put(name: str, text: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
        return folder

    return put
