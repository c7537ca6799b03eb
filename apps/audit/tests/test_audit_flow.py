"""From a request at users to an administrator's question: outbox, relay, broker, consumer."""

import json
import uuid
from collections import Counter

import pytest
from audit.recording import handlers
from support.apps import empty
from support.broker import PLAN
from support.events import consuming, relaying, wait_for
from tandem_common.settings import BrokerSettings
from users.application import create_app
from users.settings import UsersSettings

ANN = {"email": "ann@example.org", "password": "correct horse", "name": "Ann"}


@pytest.fixture
def users(users_database, users_settings, private_pem):
    settings = {"password_memory_kib": 64, "password_passes": 1, "login_failure_seconds": 0.1}
    app = create_app(UsersSettings(**users_settings, **settings, jwt_key=private_pem))
    yield app.test_client()
    app.extensions["failures"].close()
    app.extensions["database"].close()
    empty(users_database, "users")


@pytest.fixture
def relay(broker, users_settings):
    with relaying(BrokerSettings(**{**users_settings, **broker.settings("users")})):
        yield


@pytest.fixture
def settings(broker, audit_settings):
    return BrokerSettings(**{**audit_settings, **broker.settings("audit")})


def seen(ask):
    answer = ask()
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def test_the_catalogs_events_are_all_consumed(settings):
    assert set(handlers(settings)) == set(PLAN.consumes["audit"])


def test_what_happens_at_users_is_recorded(users, relay, settings, ask):
    made = users.post("/users/register", json=ANN, headers={"X-Request-Id": "req-1"}).json
    for password, status in (("wrong", 401), (ANN["password"], 200)):
        login = {"email": ANN["email"], "password": password}
        assert users.post("/users/login", json=login).status_code == status
    with consuming(settings, handlers(settings)):
        wait_for(lambda: len(seen(ask)) == 3, "three events")
    items = seen(ask)
    assert Counter(item["type"] for item in items) == Counter(
        ["user.registered", "user.logged_in", "user.login_failed"]
    )
    assert {item["user_id"] for item in items} == {made["id"]}
    registered = next(item for item in items if item["type"] == "user.registered")
    assert registered["data"]["email"] == "ann@example.org"
    assert registered["request_id"] == "req-1"


def test_a_message_that_comes_twice_is_recorded_once(broker, settings, ask):
    queue = settings.broker_consumes["order.created"].queue
    event_id = uuid.uuid4()
    message = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": "urn:tandem:database:orders",
        "type": "order.created",
        "subject": "o-1",
        "time": "2026-11-25T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:tandem:event:order.created:1",
        "data": {"order_id": "o-1", "user_id": str(uuid.uuid4()), "amount": 1},
    }
    with consuming(settings, handlers(settings)):
        for _ in range(3):
            broker.put(queue, json.dumps(message).encode())
        broker.put(
            queue, json.dumps(message | {"data": {"user_id": "nobody"}, "id": str(uuid.uuid4())}).encode()
        )
        wait_for(lambda: broker.count(queue) == 0, "an empty queue")
        wait_for(lambda: broker.count(f"{queue}:dead") == 1, "what can't be read is a dead letter")
    assert [item["id"] for item in seen(ask)] == [str(event_id)]
