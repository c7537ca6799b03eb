"""A small lab beside the real one, driven by its command line as a user would."""

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
INVENTORY = Path(__file__).parent / "inventory"
NAME = "tandem-test"
REACHES = "{{ timeout 1 bash -c ': < /dev/tcp/{address}/22' 2>/dev/null && echo {family}; }} &"


class SmallLab:
    """Runs `./lab/lab VERB …` for the lab named tandem-test."""

    name = NAME
    inventory = INVENTORY

    def __call__(self, verb, *words, check=True, timeout=240):
        command = [PROJECT / "lab" / "lab", verb, "-i", INVENTORY, *words]
        environment = {**os.environ, "TANDEM_LAB_NAME": NAME}
        done = subprocess.run(
            command, env=environment, text=True, capture_output=True, timeout=timeout, check=False
        )
        assert done.returncode == 0 or not check, f"lab {verb} {words}: {done.stderr}"
        return done

    def run(self, host, command, check=True):
        """Run a shell command in a host, not over its network; return what it printed."""
        done = self("run", host, "sh", "-c", command, check=False)
        assert done.returncode == 0 or not check, f"{host}: {command}: {done.stderr}"
        return done.stdout.strip()

    def popen(self, host, *command, **options):
        """Start a command in a host."""
        environment = {**os.environ, "TANDEM_LAB_NAME": NAME}
        words = [PROJECT / "lab" / "lab", "run", host, *command]
        return subprocess.Popen(words, env=environment, text=True, **options)

    def env(self):
        """What `lab env` says."""
        return json.loads(self("env").stdout)

    def reaches(self, one, other):
        """Say whether one host reaches another: `4`, `6` for the address families that work."""
        host = self.env()["hosts"][other]
        tries = {"4": host["address"], "6": host["address6"]}
        script = " ".join(REACHES.format(address=a, family=family) for family, a in tries.items())
        return "".join(sorted(self.run(one, f"{script} wait").split()))


@pytest.fixture(scope="session")
def booted():
    """The lab, from nothing, and taken away again."""
    lab = SmallLab()
    lab("clean")
    lab("up")
    yield lab
    lab("clean")


@pytest.fixture
def lab(booted):
    """The lab with all hosts up and nothing cut."""
    booted("up")
    booted("heal")
    return booted
