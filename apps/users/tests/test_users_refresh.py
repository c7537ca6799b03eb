"""Refresh tokens: rotation, grace, reuse, logout, and what happens when an answer is lost."""

import base64
import hashlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.postgres import PASSWORD
from tandem_common.problems import Unavailable
from users.application import create_app
from users.commands import main
from users.refresh import RefreshTokens, Secret
from users.settings import UsersSettings

ANN = {"email": "ann@example.org", "password": "correct horse", "name": "Ann"}
GRACE = timedelta(seconds=30)
UNKNOWN = "urn:tandem:problem:outcome-unknown"
UNAVAILABLE = "urn:tandem:problem:unavailable"


@pytest.fixture
def ann(client):
    """The id of a user who is there."""
    return client.post("/users/register", json=ANN).json["id"]


@pytest.fixture
def log_in(client, ann):
    """Log in; the refresh token."""
    del ann

    def give():
        answer = client.post("/users/login", json={"email": ANN["email"], "password": ANN["password"]})
        assert answer.status_code == 200, answer.text
        return answer.json["refresh_token"]

    return give


def send(app, path, token):
    """A request with a client of its own, so that threads may call it."""
    return app.test_client().post(f"/users/{path}", json={"refresh_token": token})


@pytest.fixture
def use(app):
    """Use a token: its successor, or None if it does not count."""

    def give(token):
        answer = send(app, "refresh", token)
        assert answer.status_code in (200, 401), answer.text
        return answer.json["refresh_token"] if answer.status_code == 200 else None

    return give


@pytest.fixture
def log_out(app):
    def give(token):
        answer = send(app, "logout", token)
        assert (answer.status_code, answer.data) == (204, b""), answer.text

    return give


@pytest.fixture
def pass_time(users_database):
    """Let time pass, for all tokens."""

    def give(duration):
        for column in ("spent_at", "expires_at"):
            users_database.execute(
                f"update refresh_tokens set {column} = {column} - %s", "users", (duration,)
            )
        users_database.execute("update token_families set expires_at = expires_at - %s", "users", (duration,))

    return give


def count(server, table="token_families"):
    return server.execute(f"select count(*) from {table}", "users")[0][0]


# --- rotation


def test_a_login_can_be_refreshed(client, ann):
    first = client.post("/users/login", json={"email": ANN["email"], "password": ANN["password"]})
    assert set(first.json) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "refresh_expires_in",
    }
    assert (first.json["expires_in"], first.json["refresh_expires_in"]) == (300, 30 * 86_400)
    second = client.post("/users/refresh", json={"refresh_token": first.json["refresh_token"]})
    assert second.status_code == 200
    assert set(second.json) == set(first.json)
    assert second.json["refresh_token"] != first.json["refresh_token"]
    for answer in (first, second):
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        assert "Set-Cookie" not in answer.headers
    me = client.get("/users/me", headers={"Authorization": f"Bearer {second.json['access_token']}"})
    assert me.json["id"] == ann


def test_an_active_user_stays_logged_in(use, log_in, pass_time, users_database):
    token = log_in()
    for _ in range(5):
        pass_time(timedelta(days=20))
        token = use(token)
        assert token
    assert count(users_database, "refresh_tokens") == 2, "what can't be used any more has no row"


def test_two_tabs_may_use_a_token_at_once(use, log_in, pass_time):
    token = log_in()
    one, two = use(token), use(token)
    assert len({token, one, two}) == 3
    pass_time(GRACE * 10)
    for tab in (one, two):
        for _ in range(3):
            tab = use(tab)
            assert tab
            pass_time(GRACE * 10)


def test_reuse_after_the_grace_ends_the_family(use, log_in, pass_time):
    other, token = log_in(), log_in()
    successor = use(token)
    youngest = use(successor)
    assert use(token), "still within the grace"
    pass_time(GRACE)
    assert use(token) is None
    assert use(successor) is None
    assert use(youngest) is None
    assert use(other), "another login is another family"


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("pause", [GRACE / 100, GRACE * 2])
def test_a_stolen_old_token_ends_the_family(use, log_in, pass_time, steps, pause):
    """However far the owner has got, and however quickly."""
    stolen = token = log_in()
    token = use(token)
    for _ in range(steps):
        pass_time(pause)
        token = use(token)
        assert token
    pass_time(GRACE)
    assert use(stolen) is None
    assert use(token) is None


def test_a_thief_who_is_quicker_is_found_out_too(use, log_in, pass_time):
    """The thief used the stolen token first and went on; then the owner uses it."""
    token = log_in()
    thief = use(use(token))
    pass_time(GRACE)
    assert use(token) is None
    assert use(thief) is None


# --- answers that get lost


def test_a_lost_answer_logs_nobody_out(use, log_in, pass_time):
    token = log_in()
    lost = use(token)
    pass_time(timedelta(days=3))
    again = use(token)
    assert again, "no successor was ever used: nobody has one"
    assert use(again)
    assert use(lost) is None, "withdrawn: whoever has it is not the owner"
    assert use(again) is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=8))
def test_an_owner_who_loses_answers_is_never_logged_out(use, log_in, pass_time, steps):
    """Each step is a use whose answer arrives or gets lost, after some time."""
    token = log_in()
    for arrives, graces in steps:
        pass_time(GRACE * graces)
        successor = use(token)
        assert successor
        token = successor if arrives else token


@pytest.fixture
def hasty(settings, ann):
    """An application that waits for a COMMIT only briefly."""
    del ann
    app = create_app(UsersSettings(**settings, commit_wait_seconds=0.3))
    yield app
    app.extensions["database"].close()


@pytest.fixture
def no_standby(users_database):
    """As on a primary that has lost its standby, or the lead."""
    users_database.require_missing_standby(True)
    yield lambda: users_database.require_missing_standby(False)
    users_database.require_missing_standby(False)


@pytest.fixture
def token(log_in):
    """Of a login."""
    return log_in()


def test_a_refresh_of_unknown_outcome_may_be_repeated(token, hasty, no_standby, use, pass_time):
    for told in (UNKNOWN, UNAVAILABLE):  # the second one waits for the first in vain: certainly not done
        answer = send(hasty, "refresh", token)
        assert (answer.status_code, answer.json["type"]) == (503, told)
    no_standby()
    pass_time(GRACE * 2)
    assert use(use(token))


def test_no_refusal_without_certainty(token, hasty, no_standby):
    """A node that has lost the lead does not know younger tokens; that must log nobody out."""
    elsewhere = Secret.new(Secret.parse(token).family).text
    for unknown in (elsewhere, "A" * 64):
        answer = send(hasty, "refresh", unknown)
        assert (answer.status_code, answer.json["type"]) == (503, UNKNOWN)
    no_standby()


def test_a_logout_of_unknown_outcome_is_not_acknowledged(token, hasty, no_standby, use):
    for told in (UNKNOWN, UNAVAILABLE):
        answer = send(hasty, "logout", token)
        assert (answer.status_code, answer.json["type"]) == (503, told)
    no_standby()
    assert send(hasty, "logout", token).status_code == 204
    assert use(token) is None


def test_a_repeated_logout_is_certain_too(token, app, no_standby, users_database):
    """The first one was committed on the primary only."""
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(send, app, "logout", token)
            users_database.execute(
                "select pg_cancel_backend(%s)", parameters=(users_database.wait_for_commit_wait(),)
            )
            assert answer.result().json["type"] == UNKNOWN
    assert count(users_database) == 0
    no_standby()
    assert send(app, "logout", token).status_code == 204


def test_a_login_of_unknown_outcome_is_not_acknowledged(hasty, no_standby, log_in):
    answer = hasty.test_client().post(
        "/users/login", json={"email": ANN["email"], "password": ANN["password"]}
    )
    assert (answer.status_code, answer.json["type"]) == (503, UNKNOWN)
    no_standby()
    assert log_in()


# --- what does not count


def test_failures_are_alike(app, client, use, log_in, log_out, pass_time, users_database):
    expired = log_in()
    users_database.execute("update refresh_tokens set expires_at = now()", "users")
    ended, reused, good = log_in(), log_in(), log_in()
    log_out(ended)
    use(use(reused))
    users_database.execute("update refresh_tokens set spent_at = now() where spent_at is not null", "users")
    access = client.post("/users/refresh", json={"refresh_token": good}).json["access_token"]
    never = Secret.new(Secret.parse(good).family).text
    others = ["", "x", "A" * 64, "A" * 63 + "=", "é" * 64, "\x00", "A" * 5000, access, f"{good}\n", good[:-1]]
    answers = [send(app, "refresh", token) for token in (expired, ended, reused, never, *others)]
    told = []
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Cache-Control"] == "no-store"
        headers = {
            name: value for name, value in answer.headers if name not in ("X-Request-Id", "Content-Length")
        }
        told.append((headers, {**answer.json, "request_id": None}))
    assert all(one == told[0] for one in told)


def test_an_expired_token_leaves_the_others_alone(use, log_in, pass_time):
    token = log_in()
    one, two = use(token), use(token)
    pass_time(timedelta(days=29))
    two = use(two)
    pass_time(timedelta(days=2))
    assert use(one) is None
    assert use(two)


@pytest.mark.parametrize("path", ["refresh", "logout"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"refresh_token": None},
        {"refresh_token": 1},
        {"refresh_token": ["x"]},
        {"refresh_token": "x", "a": 1},
    ],
)
def test_wrong_bodies(client, path, body):
    assert client.post(f"/users/{path}", json=body).status_code == 422


def test_only_hashes_are_stored(use, log_in, users_database):
    tokens = [log_in()]
    tokens.append(use(tokens[0]))
    rows = users_database.execute(
        "select digest, parent from refresh_tokens order by parent nulls first", "users"
    )
    digests = [hashlib.sha256(base64.urlsafe_b64decode(token)).digest() for token in tokens]
    assert [bytes(row[0]) for row in rows] == digests
    assert bytes(rows[1][1]) == digests[0]


@given(st.binary(min_size=48, max_size=48))
def test_texts_and_tokens_correspond(data):
    text = base64.urlsafe_b64encode(data).decode()
    token = Secret.parse(text)
    assert token.text == text
    assert token.family.bytes == data[:16]


# --- logout


def test_a_logout_ends_one_login(client, use, log_in, log_out):
    other = log_in()
    token = log_in()
    answer = client.post("/users/refresh", json={"refresh_token": token})
    branches = [answer.json["refresh_token"], use(token)]
    log_out(branches[0])
    assert [use(one) for one in (token, *branches)] == [None, None, None]
    assert use(other)
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert client.get("/users/me", headers=bearer).status_code == 200, "access tokens count until they expire"


def test_a_logout_is_always_done(use, log_in, log_out, pass_time):
    token = log_in()
    for one in (token, token, "", "x", "A" * 64, "\x00"):
        log_out(one)
    old = log_in()
    pass_time(timedelta(days=31))
    log_out(old)


# --- many at once


@pytest.fixture
def instances(app, settings):
    """Two instances of the service, as on two hosts."""
    other = create_app(UsersSettings(**settings))
    yield [app, other]
    other.extensions["database"].close()


def at_once(instances, number, work):
    """Call work(application, number) in threads that start together; the results."""
    barrier = threading.Barrier(number)

    def run(turn):
        barrier.wait(5)
        while True:
            answer = work(instances[turn % len(instances)], turn)
            if answer.status_code != 503:
                return answer
            assert answer.json["type"].endswith((":busy", ":unavailable")), answer.text

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


@pytest.mark.parametrize("number", [2, 8])
def test_the_same_token_at_once(instances, use, log_in, pass_time, number):
    token = log_in()
    for _ in range(3):
        answers = at_once(instances, number, lambda app, _turn, token=token: send(app, "refresh", token))
        assert [answer.status_code for answer in answers] == [200] * number
        successors = {answer.json["refresh_token"] for answer in answers}
        assert len(successors) == number
        for successor in successors:
            assert use(successor)
        token = use(successors.pop())


def test_a_late_use_and_its_successor_at_once(instances, log_in, use, pass_time, users_database):
    """A race of an owner who lost an answer with whoever has it: in the end at most one of them is logged in."""
    for _ in range(5):
        token = log_in()
        successor = use(token)
        pass_time(GRACE)
        pair = (token, successor)
        at_once(instances, 2, lambda app, turn, pair=pair: send(app, "refresh", pair[turn]))
        assert count(users_database) == 0
        assert use(token) is None
        assert use(successor) is None


def test_a_logout_during_refreshes_wins(instances, use, log_in):
    for _ in range(5):
        token = log_in()

        def work(app, turn, token=token):
            return send(app, "logout" if turn == 3 else "refresh", token)

        answers = at_once(instances, 6, work)
        given = [answer.json["refresh_token"] for answer in answers if answer.status_code == 200]
        assert [use(one) for one in (token, *given)] == [None] * (len(given) + 1)


# --- cleaning up


@pytest.fixture
def expire(users_settings, monkeypatch):
    """Run `users expire` in this process, as the platform does."""
    monkeypatch.setenv("DATABASE_DSN", users_settings["database_dsn"])
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    monkeypatch.setattr(sys, "argv", ["users", "expire"])
    return main


def test_expire_deletes_what_is_past_use(expire, capsys, monkeypatch, log_in, use, pass_time, users_database):
    monkeypatch.setattr("users.refresh.EXPIRE_AT_ONCE", 2)
    for _ in range(5):
        log_in()
    kept = log_in()
    pass_time(timedelta(days=29))
    kept = use(kept)
    assert expire() == 0
    assert count(users_database) == 6
    pass_time(timedelta(days=2))
    capsys.readouterr()
    assert expire() == 0
    assert '"families": 5' in capsys.readouterr().out
    assert (count(users_database), count(users_database, "refresh_tokens")) == (1, 2)
    assert use(kept)


def test_expire_and_refreshes_at_once(log_in, app, pass_time, expire, use):
    """A refresh in the last moment is not undone."""
    tokens = RefreshTokens(app.extensions["database"], timedelta(days=30), GRACE)
    for _ in range(5):
        token = log_in()
        pass_time(timedelta(days=30) - timedelta(milliseconds=20))
        with ThreadPoolExecutor(2) as pool:
            cleaning = pool.submit(expire)
            try:
                given = tokens.rotate(token)
            except Unavailable:
                given = None
            assert cleaning.result() == 0
        if given:
            assert use(given[1])


def test_a_deleted_user_takes_the_tokens_along(log_in, use, users_database):
    token = log_in()
    users_database.execute("delete from users", "users")
    assert use(token) is None
    assert count(users_database, "refresh_tokens") == 0
