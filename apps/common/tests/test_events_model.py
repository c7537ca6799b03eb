"""What an event is, and what is no event."""

import json
import uuid
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.apps import database_settings
from support.drift import drift
from support.events import DATABASE, METADATA, Thing, ThingMade, note, say
from tandem_common.database import Database
from tandem_common.events import EventData, Handler, Reject
from tandem_common.events.model import MAX_BYTES, read, write
from tandem_common.settings import BrokerSettings, DatabaseSettings

ID = uuid.uuid4()


def body(**more):
    written = write(ThingMade(number=1), event_id=ID, source="s", subject="a", request_id="r")
    return json.dumps({**json.loads(written), **more}).encode()


def test_what_travels_is_a_cloud_event():
    envelope = json.loads(body())
    assert envelope.pop("time").endswith("+00:00")
    assert envelope == {
        "specversion": "1.0",
        "id": str(ID),
        "source": "s",
        "type": "thing.made",
        "subject": "a",
        "datacontenttype": "application/json",
        "dataschema": "urn:tandem:event:thing.made:1",
        "requestid": "r",
        "data": {"number": 1, "text": ""},
    }


def test_what_was_written_is_read():
    event = read(body(unknown="member"))
    assert (event.id, event.type, event.version, event.subject) == (ID, "thing.made", 1, "a")
    assert (event.request_id, event.data) == ("r", {"number": 1, "text": ""})


@given(
    number=st.integers(-(2**53), 2**53),
    text=st.text(st.characters(codec="utf-8")),
    subject=st.text(max_size=20),
)
def test_any_data(number, text, subject):
    written = write(
        ThingMade(number=number, text=text), event_id=ID, source="s", subject=subject, request_id=None
    )
    event = read(written.encode())
    assert (event.data, event.subject) == ({"number": number, "text": text}, subject)
    assert event.request_id is None


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"", "not an event"),
        (b"{", "not an event"),
        (b"\xff", "not an event"),
        (b"[]", "not an event"),
        (b"[" * 100_000, "not an event"),
        (body(specversion="0.3"), "specversion"),
        (body(id="x"), "id"),
        (body(data=[]), "data"),
        (body(time="yesterday"), "time"),
        (body(time="2026-01-01T00:00:00"), "time"),
        (body(datacontenttype="text/plain"), "datacontenttype"),
        (body(dataschema="urn:other"), "unknown dataschema"),
        (body(dataschema="urn:tandem:event:thing.made:0"), "unknown dataschema"),
        (body(dataschema="urn:tandem:event:thing.sold:1"), "unknown dataschema"),
        (b" " * (MAX_BYTES + 1), "too large"),
    ],
)
def test_what_is_no_event(wrong, reason):
    with pytest.raises(Reject, match=reason):
        read(wrong)


def test_reasons_have_no_values():
    with pytest.raises(Reject) as refused:
        read(body(id="secret", data="secret"))
    with pytest.raises(Reject) as unusable:
        Handler(Thing, note).read(read(body(data={"number": "secret"})))
    assert "secret" not in str(refused.value) + str(unusable.value)


def test_versions():
    second = read(body(dataschema="urn:tandem:event:thing.made:2"))
    with pytest.raises(Reject, match="unknown version 2"):
        Handler(Thing, note).read(second)
    assert Handler(Thing, note, versions=(1, 2)).read(second) == Thing(number=1)


@pytest.mark.parametrize(("kind", "number"), [("made", 1), ("Thing.made", 1), ("thing.made", 0)])
def test_wrong_types_are_refused_where_they_are_declared(kind, number):
    with pytest.raises(TypeError):

        class Wrong(EventData):
            type: ClassVar[str] = kind
            version: ClassVar[int] = number


def test_too_large_an_event_fails_the_transaction(outbox, events):
    with pytest.raises(ValueError, match="more than"):
        say(outbox, ThingMade(number=1), ThingMade(number=2, text="é" * (MAX_BYTES // 2)))
    assert events.execute("select count(*) from outbox", DATABASE) == [(0,)]


def test_events_of_a_failed_transaction_are_not_there(outbox, events):
    def work(session):
        from tandem_common.events import publish

        publish(session, ThingMade(number=1), subject="a")
        raise KeyError

    with pytest.raises(KeyError):
        outbox.transaction(work)
    assert events.execute("select count(*) from outbox", DATABASE) == [(0,)]


def test_migrations_make_the_tables_of_the_models(events):
    changes = [change for change in drift(events, DATABASE, METADATA) if "effects" not in str(change)]
    assert changes == []


def test_the_services_role_can_use_them(events):
    given = DatabaseSettings(**database_settings(events, DATABASE))
    database = Database(given)
    say(database, ThingMade(number=1))
    database.close()
    (row,) = events.execute("select type, body::json->>'source' from outbox", DATABASE)
    assert row == ("thing.made", f"urn:tandem:database:{DATABASE}")


GIVEN = {
    "database_dsn": "host=x",
    "broker_hosts": "a:1,b:2",
    "broker_user": "u",
    "broker_password": "p",
    "broker_ca": "/ca",
}


def test_settings_come_from_the_environment(monkeypatch):
    for name, value in GIVEN.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("BROKER_CONSUMES", '{"order.created": {"queue": "audit:order.created", "retries": 3}}')
    settings = BrokerSettings.load()
    assert settings.broker_consumes["order.created"].retries == 3
    assert settings.broker_consumes["order.created"].queue == "audit:order.created"


@pytest.mark.parametrize("hosts", ["", "a", "a:b", "a:1,", "a:1 b:2"])
def test_wrong_hosts(hosts):
    with pytest.raises(ValueError, match="broker_hosts"):
        BrokerSettings(**{**GIVEN, "broker_hosts": hosts})
