"""What users tells others, and who is an administrator."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid

import pytest
import requests
from support.apps import empty
from support.drift import drift
from support.schemas import compare_schema
from tandem_common.tokens import Verifier
from users import commands
from users.events import LoginFailed, UserLoggedIn, UserRegistered
from users.failures import MOST_ACCOUNTS
from users.models import Base

PASSWORD = "correct horse"
ANN = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann"}


@pytest.fixture
def settings(settings):
    return {**settings, "login_failure_seconds": 0.2, "write_wait_seconds": 1, "commit_wait_seconds": 1}


@pytest.fixture
def patient(settings):
    """Nothing is told by itself."""
    settings["login_failure_seconds"] = 60


@pytest.fixture
def outbox(users_database):
    """The events so far: type, subject and data."""

    def read():
        rows = users_database.execute("select type, subject, body from outbox order by id", "users")
        return [(kind, subject, json.loads(body)["data"]) for kind, subject, body in rows]

    return read


@pytest.fixture
def run(monkeypatch, settings):
    """A command as the platform starts it; its exit status."""
    for name in ("database_dsn", "database_password"):
        monkeypatch.setenv(name.upper(), settings[name])

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["users", *arguments])
        return commands.main()

    return main


def register(client, language=None):
    headers = {"Accept-Language": language} if language else {}
    answer = client.post("/users/register", json=ANN, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_the_language_is_the_one_that_is_named(client, outbox):
    """The shop's pages name it; the browser's may be another."""
    answer = client.post("/users/register", json={**ANN, "language": "ru"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 201, answer.text
    ((_, data),) = wait_for(outbox, "user.registered")
    assert data["language"] == "ru"


def log_in(client, email=ANN["email"], password=PASSWORD):
    return client.post("/users/login", json={"email": email, "password": password})


def wait_for(outbox, kind, number=1):
    """The events of a kind, once there are so many."""
    end = time.monotonic() + 5
    while True:
        found = [(subject, data) for type_, subject, data in outbox() if type_ == kind]
        if len(found) >= number:
            return found
        assert time.monotonic() < end, outbox()
        time.sleep(0.02)


def roles(token, private_key):
    verifier = Verifier([private_key.public_key()], issuer="tandem-users", audience="tandem-shop")
    return verifier.verify(token).roles


@pytest.mark.parametrize("event", [UserRegistered, UserLoggedIn, LoginFailed])
def test_the_kept_schemas_are_current(event):
    compare_schema("users", event)


def test_schema_matches_models(users_database):
    assert drift(users_database, "users", Base.metadata) == []


def test_registration_and_login_are_told(client, outbox):
    made = register(client, "de,ru-RU;q=0.9,ru;q=0.8,en;q=0.7")
    assert log_in(client).status_code == 200
    assert [(kind, subject) for kind, subject, _ in outbox()] == [
        ("user.registered", made["id"]),
        ("user.logged_in", made["id"]),
    ]
    data = outbox()[0][2]
    assert {name: data[name] for name in ("user_id", "email", "name", "language")} == {
        "user_id": made["id"],
        "email": "ann@example.org",
        "name": "Ann",
        "language": "ru",
    }
    assert outbox()[1][2] == {"user_id": made["id"]}


def test_what_did_not_happen_is_not_told(client, outbox):
    register(client)
    assert client.post("/users/register", json=ANN).status_code == 409
    token = log_in(client).json["refresh_token"]
    assert client.post("/users/refresh", json={"refresh_token": token}).status_code == 200
    assert [kind for kind, *_ in outbox()] == ["user.registered", "user.logged_in"]


def test_an_event_comes_and_goes_with_its_change(client, users_database, outbox):
    """Nobody has an account that nobody is told of."""
    users_database.execute("alter table outbox rename to hidden", "users")
    try:
        assert client.post("/users/register", json=ANN).status_code == 500
    finally:
        users_database.execute("alter table hidden rename to outbox", "users")
    assert users_database.execute("select count(*) from users", "users") == [(0,)]
    assert outbox() == []


def test_failed_logins_are_told_together(patient, app, client, outbox):
    made = register(client)
    for _ in range(3):
        assert log_in(client, password="wrong").status_code == 401
    app.extensions["failures"].tell()
    ((subject, data),) = wait_for(outbox, "user.login_failed")
    assert (subject, data["user_id"], data["count"]) == (made["id"], made["id"], 3)
    assert data["first_at"] < data["last_at"]


def test_failed_logins_are_told_by_themselves(client, outbox):
    register(client)
    for number in (1, 2):
        assert log_in(client, password="wrong").status_code == 401
        assert len(wait_for(outbox, "user.login_failed", number)) == number


def test_nothing_is_kept_of_unknown_addresses(patient, app, client, users_database, outbox):
    typed = ("nobody@example.org", "somebody@example.org", "my secret password", "")
    for address in typed:
        assert log_in(client, address).status_code == 401
    app.extensions["failures"].tell()
    ((subject, data),) = wait_for(outbox, "user.login_failed")
    assert (subject, data["user_id"], data["count"]) == ("unknown", None, len(typed))
    bodies = str(users_database.execute("select body from outbox", "users"))
    assert not any(address in bodies for address in typed if address)


def test_a_failed_login_does_not_wait_for_the_database(app, client, users_database, outbox):
    """Its time is the same with and without an account, and a commit that hangs hangs nobody."""
    made = register(client)
    users_database.require_missing_standby(True)
    try:
        for address in (ANN["email"], "nobody@example.org"):
            started = time.monotonic()
            assert log_in(client, address, "wrong").status_code == 401
            assert time.monotonic() - started < 0.9, "less than a commit waits"
    finally:
        users_database.require_missing_standby(False)
    told = {subject for subject, _ in wait_for(outbox, "user.login_failed", 2)}
    assert told == {"unknown", made["id"]}


def test_a_process_that_is_asked_to_stop_tells_what_it_has(users_database, settings, outbox, tmp_path):
    """As the platform runs it, under gunicorn."""
    for name in ("jwt_key", "database_password"):
        (tmp_path / name).write_text(settings[name])
    environment = {
        **os.environ,
        "DATABASE_DSN": settings["database_dsn"],
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "LOGIN_FAILURE_SECONDS": "60",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        os.set_inheritable(listener.fileno(), True)
        command = [sys.executable, "-m", "gunicorn", "--threads=2", f"--bind=fd://{listener.fileno()}"]
        server = subprocess.Popen([*command, "users.wsgi:app"], env=environment, pass_fds=[listener.fileno()])
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/users/login"
            login = {"email": "nobody@example.org", "password": "wrong"}
            assert requests.post(url, json=login, timeout=60).status_code == 401
            assert outbox() == []
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    try:
        ((_, data),) = wait_for(outbox, "user.login_failed")
        assert data["count"] == 1
    finally:
        empty(users_database, "users")


def test_many_accounts_make_a_bounded_number_of_events(patient, app, outbox):
    failures = app.extensions["failures"]
    for _ in range(MOST_ACCOUNTS + 50):
        failures.add(uuid.uuid4())
    failures.tell()
    told = [data for kind, _, data in outbox() if kind == "user.login_failed"]
    assert len(told) <= MOST_ACCOUNTS + 1
    assert sum(data["count"] for data in told) == MOST_ACCOUNTS + 50


def test_an_administrators_tokens_say_so(app, client, run, private_key):
    register(client)
    before = log_in(client).json
    assert roles(before["access_token"], private_key) == frozenset()
    assert run("grant-admin", " ANN@Example.org") == 0
    assert run("grant-admin", "ann@example.org") == 0, "it may be repeated"
    renewed = client.post("/users/refresh", json={"refresh_token": before["refresh_token"]}).json
    for tokens in (renewed, log_in(client).json):
        assert roles(tokens["access_token"], private_key) == {"admin"}
    headers = {"Authorization": f"Bearer {renewed['access_token']}"}
    assert client.get("/users/me", headers=headers).json["roles"] == ["admin"]
    assert run("revoke-admin", "ann@example.org") == 0
    last = client.post("/users/refresh", json={"refresh_token": renewed["refresh_token"]}).json
    assert roles(last["access_token"], private_key) == frozenset()


@pytest.mark.parametrize("email", ["nobody@example.org", "not an address"])
def test_only_accounts_can_be_administrators(app, run, email, capsys):
    assert run("grant-admin", email) == 65
    assert "grant-admin:" in capsys.readouterr().err


def test_accounts_from_before_events_are_announced_once(app, client, users_database, run, outbox):
    made = register(client)
    users_database.execute("truncate outbox", "users")
    users_database.execute("update users set announced = false", "users")
    assert run("announce") == 0
    assert run("announce") == 0
    ((subject, data),) = [(subject, data) for _, subject, data in outbox()]
    assert (subject, data["email"], data["created_at"]) == (
        made["id"],
        "ann@example.org",
        made["created_at"],
    )
