"""The program that migrates, with a database that only exists here."""

import json
import sys

import migrate_service
import pytest


class OperationalError(Exception):
    """As database drivers have it."""


class Database:
    """Stands in for driver, connection and cursor: understands exactly the statements of the program."""

    OperationalError = OperationalError

    def __init__(self):
        self.prepared, self.migrated, self.initialised = False, set(), set()
        self.refuse, self.statements, self.password = 0, [], None
        self.fail_on = ""

    def connect(self, dsn, password):
        self.password = password
        if self.refuse:
            self.refuse -= 1
            raise OperationalError("connection refused")
        return self

    def cursor(self):
        return self

    def execute(self, statement, values=()):
        self.statements.append(statement)
        if self.fail_on and self.fail_on in statement:
            raise OperationalError("server closed the connection")
        if statement.startswith("create table"):
            self.prepared = True
        elif statement.startswith("insert") and "migrated" in statement:
            self.migrated.add(tuple(values))
        elif statement.startswith("insert"):
            self.initialised.add(values[0])
        elif "to_regclass" in statement:
            self.row = (self.prepared,)
        elif "migrated" in statement:
            self.row = (1,) if tuple(values) in self.migrated else None
        elif "initialised" in statement:
            self.row = (1,) if values[0] in self.initialised else None

    def fetchone(self):
        return self.row


@pytest.fixture
def database(monkeypatch):
    database = Database()
    monkeypatch.setattr(migrate_service, "driver", lambda: database)
    monkeypatch.setattr(migrate_service.time, "sleep", lambda seconds: None)
    return database


@pytest.fixture
def run(tmp_path, monkeypatch, database):
    """Run the program for a release; returns what it did. The commands note that they ran."""
    log = tmp_path / "log"
    (tmp_path / "database_password").write_text("s3cret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("DATABASE_DSN", "host=x")

    def run(release="r1", migrate="migrate", init="seed", patience=5):
        def note(word):
            return ["/bin/sh", "-c", f"echo {word} >> {log}"] if word else None

        (tmp_path / "result.json").unlink(missing_ok=True)
        plan = {"service": "users", "release": release, "migrate": note(migrate), "init_command": note(init)}
        (tmp_path / "plan.json").write_text(json.dumps({**plan, "patience_seconds": patience}))
        monkeypatch.setattr(sys, "argv", ["migrate_service.py", str(tmp_path / "plan.json")])
        migrate_service.main()
        return json.loads((tmp_path / "result.json").read_text())

    run.log = lambda: log.read_text().split() if log.exists() else []
    return run


def test_first_release_migrates_and_initialises(run, database):
    assert run() == ["migrated", "initialised"]
    assert run.log() == ["migrate", "seed"]
    assert database.password == "s3cret"


def test_everything_happens_under_the_lock(run, database):
    run()
    assert database.statements[0] == "select pg_advisory_lock(%s, %s)"


def test_same_release_again_does_nothing(run):
    run()
    assert run() == []
    assert run.log() == ["migrate", "seed"]


def test_next_release_migrates_and_does_not_initialise(run):
    run()
    assert run("r2") == ["migrated"]
    assert run.log() == ["migrate", "seed", "migrate"]


def test_service_without_init_command(run):
    assert run(init=None) == ["migrated"]


def test_failed_command_is_not_recorded(run, database):
    with pytest.raises(SystemExit) as error:
        run(migrate="x; exit 3")
    assert error.value.code == 3 and database.migrated == set()
    assert run() == ["migrated", "initialised"]


def test_waits_for_a_primary(run, database):
    database.refuse = 3
    assert run() == ["migrated", "initialised"]


def test_unreachable_database_is_a_temporary_failure(run, database, capsys):
    database.refuse = 1000
    with pytest.raises(SystemExit) as error:
        run(patience=0)
    assert error.value.code == 75
    assert "connection refused" in capsys.readouterr().err


def test_database_that_goes_away_is_a_temporary_failure(run, database):
    database.fail_on = "insert into tandem_releases.migrated"
    with pytest.raises(SystemExit) as error:
        run()
    assert error.value.code == 75


def test_release_without_a_driver_is_told(monkeypatch):
    monkeypatch.setattr(migrate_service, "DRIVERS", ("no_such_driver_a", "no_such_driver_b"))
    with pytest.raises(SystemExit, match="neither no_such_driver_a nor no_such_driver_b"):
        migrate_service.driver()
