"""Wheels and hosts of the tests' own making."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# The collection's own import path, as Ansible sees it.
sys.path.insert(0, str(ROOT / "collections"))
sys.path.insert(0, str(ROOT / "roles/service/files"))


def make_wheel(
    folder, name, version="1.0", *, requires=(), scripts=None, files=None, tag="py3-none-any", python=""
):
    """Write a small valid wheel and return its path."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in requires]
    lines += [f"Requires-Python: {python}"] if python else []
    path = Path(folder) / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {f"{module}/__init__.py": f"NAME = {name!r}\n", **(files or {})}.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        if scripts:
            points = "".join(f"{script} = {point}\n" for script, point in scripts.items())
            archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{points}")
    return path


@pytest.fixture
def wheel(tmp_path):
    """Make wheels in a folder of the test."""
    folder = tmp_path / "made"
    folder.mkdir()
    return lambda name, *args, **more: make_wheel(folder, name, *args, **more)


@pytest.fixture
def write_wheel():
    """The function that writes a wheel into a folder."""
    return make_wheel


@pytest.fixture(scope="session")
def timer_pattern(tmp_path_factory):
    """Files of a PostgreSQL server with the database `shop`, its roles, and the platform's tables of leases."""
    from ansible_collections.tandem.platform.plugins.module_utils import postgres_databases, postgres_timers

    from apps.tests.support.postgres import Server

    folder = tmp_path_factory.mktemp("timers") / "data"
    with Server.started() as running:
        running.add_database("shop")
        for statement in postgres_databases.MARKERS:
            running.execute(statement, "shop")
        for step in postgres_timers.timer_steps(asking(running), "shop", "shop"):
            for statement in step.statements:
                running.execute(statement, "shop")
        running.run("pg_ctl", "-D", running.data, "-m", "fast", "-w", "stop")
        subprocess.run(["cp", "-a", running.data, folder], check=True)
    return folder


def asking(server):
    """The way in which the module asks a database, for the database `shop`."""
    return lambda sql, arguments: server.execute(sql, "shop", arguments)


@pytest.fixture(scope="session")
def timer_server(timer_pattern):
    from apps.tests.support.postgres import Server

    with Server.started(timer_pattern) as running:
        yield running


@pytest.fixture
def world(timer_server, tmp_path, monkeypatch):
    """Hosts with one database, all of whose waits are short."""
    timer_server.execute("truncate tandem.timers cascade", "shop")
    return make_world(timer_server, tmp_path, monkeypatch)


@pytest.fixture
def breakable_world(timer_pattern, tmp_path, monkeypatch):
    """The same with a server of its own, which the test may stop."""
    from apps.tests.support.postgres import Server

    with Server.started(timer_pattern) as running:
        yield make_world(running, tmp_path, monkeypatch)


def make_world(server, folder, monkeypatch):
    from timer_runner import keeper, leases, runner

    from tests.unit.service.timer_world import World

    for module, name, value in (
        (keeper, "MARGIN", 0.2),
        (runner, "LOST_SECONDS", 0.3),
        (runner, "POLL_SECONDS", 0.1),
        (runner, "RETRY_SECONDS", 0.1),
        (runner, "STOP_SECONDS", 1.0),
        (leases, "CALL_SECONDS", 1.0),
    ):
        monkeypatch.setattr(module, name, value)
    return World(server, folder)
