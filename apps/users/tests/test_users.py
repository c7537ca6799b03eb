"""Accounts: registration, login, tokens."""

import time
import uuid

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.drift import drift
from support.openapi import check
from tandem_common.tokens import Issuer, Verifier, read_public_keys
from users.application import create_app
from users.models import Base
from users.settings import UsersSettings

PASSWORD = "correct horse"
ANN = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann"}


def register(client, **changed):
    return client.post("/users/register", json={**ANN, **changed})


def log_in(client, email=ANN["email"], password=PASSWORD):
    return client.post("/users/login", json={"email": email, "password": password})


def me(client, token):
    return client.get("/users/me", headers={"Authorization": f"Bearer {token}"})


def test_register_log_in_me(client):
    made = register(client)
    assert made.status_code == 201, made.text
    assert set(made.json) == {"id", "email", "name", "created_at", "roles"}
    token = log_in(client)
    assert token.status_code == 200
    assert token.json["token_type"] == "Bearer"
    assert token.json["expires_in"] == 300
    assert token.headers["Cache-Control"] == "no-store"
    answer = me(client, token.json["access_token"])
    assert (answer.status_code, answer.json) == (200, made.json)


@pytest.mark.parametrize("spelling", ["ANN@Example.ORG", " ann@example.org ", "\uff41nn@example\u3002org"])
def test_one_address_is_one_account(client, spelling):
    assert register(client).status_code == 201
    assert register(client, email=spelling).status_code == 409
    assert log_in(client, spelling).status_code == 200


def test_addresses_of_other_alphabets(client):
    assert register(client, email="Иван@Пример.рф").json["email"] == "иван@xn--e1afmkfd.xn--p1ai"
    assert log_in(client, "ИВАН@пример.РФ").status_code == 200


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "@",
        "a@",
        "@b.org",
        "a@b",
        "a b@c.org",
        "a@b@c.org",
        "a@b..org",
        ".a@b.org",
        "a.@b.org",
        "a..b@c.org",
        "a@-b.org",
        "a\x00@b.org",
        "a\u200b@b.org",
        "a@b.org\n.",
        "<a@b.org>",
        f"{'a' * 65}@b.org",
        f"a@{'b' * 64}.org",
        f"a@{'b.' * 130}org",
        "a" * 5000,
    ],
)
def test_wrong_addresses(client, email):
    answer = register(client, email=email)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json["errors"]] == ["email"]
    assert log_in(client, email).status_code in (401, 422)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"password": 12345678}, "password"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"email": None}, "email"),
        ({"admin": True}, "admin"),
    ],
)
def test_wrong_registrations(client, changed, field):
    answer = register(client, **changed)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize(
    "body", [{}, {"email": "a@b.org"}, {"email": 1, "password": 2}, {"email": [], "password": {}}]
)
def test_wrong_logins(client, body):
    assert client.post("/users/login", json=body).status_code == 422


def test_any_characters_in_a_password(client):
    password = "\x00\t пароль 🐎 \u202e"
    assert register(client, password=password).status_code == 201
    assert log_in(client, password=password).status_code == 200
    assert log_in(client, password=password[:-1]).status_code == 401


def test_failures_are_alike(client):
    register(client)
    answers = [log_in(client, password="wrong"), log_in(client, "bob@example.org"), log_in(client, "nobody")]
    bodies = []
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        bodies.append({**answer.json, "request_id": None})
    assert bodies[0] == bodies[1] == bodies[2]


def test_failures_take_the_same_time(users_database, settings):
    """Passwords cost so much here that a missing check shows at once; only this thread's own work is timed."""
    slow = {**settings, "password_memory_kib": 4096, "password_passes": 10}
    app = create_app(UsersSettings(**slow))
    client = app.test_client()
    register(client)

    def quickest(email):
        seconds = []
        for _ in range(5):
            start = time.thread_time()
            assert log_in(client, email, "wrong password").status_code == 401
            seconds.append(time.thread_time() - start)
        return min(seconds)

    times = [quickest(email) for email in (ANN["email"], "bob@example.org", "nobody")]
    app.extensions["failures"].close()
    app.extensions["database"].close()
    users_database.execute("truncate users cascade", "users")
    assert max(times) < 1.5 * min(times), times


def test_passwords_are_stored_as_argon2id(client, users_database):
    register(client)
    [(stored,)] = users_database.execute("select password_hash from users", "users")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert PASSWORD not in stored


def test_default_cost_follows_owasp(private_pem):
    given = UsersSettings(database_dsn="host=x", jwt_key=private_pem)
    assert (given.password_memory_kib, given.password_passes) == (19456, 2)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "bearer é"])
def test_me_without_a_good_token(client, header):
    answer = client.get("/users/me", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_expired_and_orphaned_tokens(client, private_key):
    def issue(seconds):
        names = {"issuer": "tandem-users", "audience": "tandem-shop"}
        return Issuer(private_key, lifetime_seconds=seconds, **names).issue(uuid.uuid4())

    expired = me(client, issue(-60))
    assert expired.status_code == 401
    assert "expired" in expired.json["detail"]
    assert "invalid_token" in expired.headers["WWW-Authenticate"]
    assert me(client, issue(60)).status_code == 401, "the account does not exist"


def test_others_verify_with_the_public_key_only(client, public_pem):
    register(client)
    token = log_in(client).json["access_token"]
    verifier = Verifier(read_public_keys(public_pem), issuer="tandem-users", audience="tandem-shop")
    assert str(verifier.verify(token).user_id) == me(client, token).json["id"]
    [key] = client.get("/users/.well-known/jwks.json").json["keys"]
    assert key["kid"] == jwt.get_unverified_header(token)["kid"]
    assert jwt.decode(token, jwt.PyJWK(key).key, algorithms=["ES256"], audience="tandem-shop")


def test_registration_is_unknown_without_a_standby(users_database, settings):
    app = create_app(UsersSettings(**settings, commit_wait_seconds=0.5))
    client = app.test_client()
    users_database.require_missing_standby(True)
    try:
        answer = register(client)
        assert answer.status_code == 503
        assert answer.json["type"] == "urn:tandem:problem:outcome-unknown"
    finally:
        users_database.require_missing_standby(False)
    assert register(client).status_code == 409
    assert log_in(client).status_code == 200
    app.extensions["database"].close()
    users_database.execute("truncate users cascade", "users")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(email=JSON, password=JSON, name=JSON)
def test_no_input_breaks_it(client, email, password, name):
    for path, body in (
        ("/users/register", {"email": email, "password": password, "name": name}),
        ("/users/register", {"email": "a@b.org", "password": "x" * 8, "name": name}),
        ("/users/login", {"email": email, "password": password}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code in (201, 400, 401, 409, 422), answer.text


def test_migrations_lead_to_the_models(users_database):
    assert drift(users_database, "users", Base.metadata) == []


def test_the_kept_document_is_current(client):
    check(client, "users")
