"""The command line, run as the platform runs it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.apps import database_settings
from support.postgres import PASSWORD, Server

NAME = "commands"
APPS = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path, server):
    (tmp_path / "database_password").write_text(PASSWORD)
    paths = [str(APPS / name / "src") for name in ("common", "users", "products", "orders")]
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(paths),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "DATABASE_DSN": database_settings(server, NAME, user=f"{NAME}_owner")["database_dsn"],
    }


def run(environment, *arguments):
    code = "import sys; from products.commands import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def empty_database(server: Server):
    """As after the platform made it, before any migration."""
    server.add_database(NAME)


def test_two_migrations_at_once_and_again(environment, empty_database, server):
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: run(environment, "migrate"), range(2)))
    assert [one.returncode for one in done] == [0, 0], done
    assert server.execute("select count(*) from alembic_version", NAME) == [(1,)]
    again = run(environment, "migrate")
    assert again.returncode == 0
    assert "Running upgrade" not in again.stdout
    rights = server.execute("select has_table_privilege(%s, 'products', 'insert')", NAME, (NAME,))
    assert rights == [(True,)]
    assert run(environment, "seed").returncode == 0
    assert run(environment, "expire").returncode == 0
    assert server.execute("select count(*) from products", NAME) == [(41,)]


def test_wrong_configuration_is_said_in_one_line(environment):
    done = run({**environment, "DATABASE_POOL": "hunter2"}, "migrate")
    assert done.returncode == 78
    assert "database_pool" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_no_database(environment):
    dsn = environment["DATABASE_DSN"].replace("port=", "port=1 options='' hostaddr=127.0.0.1 #")
    done = run({**environment, "DATABASE_DSN": dsn.partition("#")[0] + "dbname=x user=x"}, "expire")
    assert done.returncode == 75
    assert "unavailable" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_help_names_the_commands(environment):
    done = run(environment, "--help")
    assert done.returncode == 0
    assert "migrate" in done.stdout
    assert "seed" in done.stdout
