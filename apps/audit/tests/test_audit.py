"""What is recorded, who may see it, and how it goes."""

import sys
import uuid
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from audit import commands
from audit.history import Place
from audit.models import Base
from audit.recording import HANDLER, Concerning, handlers
from hypothesis import given
from hypothesis import strategies as st
from support.drift import drift
from support.openapi import check
from support.postgres import PASSWORD
from support.schemas import samples
from tandem_common.events import Event, Reject
from tandem_common.settings import BrokerSettings

ANN, BOB = uuid.uuid4(), uuid.uuid4()
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def event(kind="user.logged_in", *, at=NOON, user_id=ANN, **more):
    return Event(
        id=more.pop("id", uuid.uuid4()),
        type=kind,
        version=more.pop("version", 1),
        subject=str(user_id),
        time=at,
        request_id="r1",
        data={"user_id": str(user_id) if user_id else None, **more},
    )


@pytest.fixture
def record(app):
    """Have the consumer's handler record events."""

    def record(*events):
        def work(session):
            for one in events:
                HANDLER.apply(session, one, HANDLER.read(one), None)

        app.extensions["database"].transaction(work)

    return record


@pytest.fixture
def run(monkeypatch, audit_settings):
    """A command as the platform starts it; its exit status."""
    for name in ("database_dsn", "database_password"):
        monkeypatch.setenv(name.upper(), audit_settings[name])

    def main(*arguments):
        monkeypatch.setattr(sys, "argv", ["audit", *arguments])
        return commands.main()

    return main


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_an_event_is_shown_as_it_was_told(record, ask):
    one = event("order.created", order_id="o1", items=[{"name": "Чай", "amount": 100}])
    record(one)
    answer = ask()
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert answer.json == {
        "items": [
            {
                "id": str(one.id),
                "type": "order.created",
                "version": 1,
                "subject": str(ANN),
                "user_id": str(ANN),
                "at": "2026-11-25T12:00:00Z",
                "request_id": "r1",
                "data": one.data,
            }
        ],
        "next": None,
    }


def test_an_event_that_comes_again_is_there_once(record, ask):
    one = event()
    record(one)
    record(one, event(id=one.id))
    assert ids(ask()) == [str(one.id)]


def test_only_administrators_see_anything(app, record, ask):
    record(event())
    assert app.test_client().get("/audit/events").status_code == 401
    assert app.test_client().get("/audit/openapi.json").status_code == 200
    for roles in ((), ("user",)):
        refused = ask(roles)
        assert (refused.status_code, refused.json["type"]) == (403, "urn:tandem:problem:forbidden")
        assert "items" not in refused.json


def test_filters(record, ask):
    events = [
        event("user.registered", at=NOON),
        event("user.logged_in", at=NOON + timedelta(minutes=1)),
        event("user.logged_in", at=NOON + timedelta(minutes=2), user_id=BOB),
        event("user.login_failed", at=NOON + timedelta(minutes=3), user_id=None),
    ]
    record(*events)
    names = [str(one.id) for one in events]
    assert ids(ask()) == names[::-1]
    assert ids(ask(type="user.logged_in")) == [names[2], names[1]]
    assert ids(ask(user_id=ANN)) == [names[1], names[0]]
    assert ids(ask(user_id=ANN, type="user.logged_in")) == [names[1]]
    assert ids(ask(since="2026-11-25T12:01:00Z", until="2026-11-25T15:03:00+03:00")) == [names[2], names[1]]
    assert ids(ask(type="order.created")) == []


def test_pages_are_complete_and_do_not_overlap(record, ask):
    """Also where many events have the same moment, and while new ones come."""
    events = [event(at=NOON + timedelta(seconds=number // 3)) for number in range(10)]
    record(*events)
    expected = [str(one.id) for one in sorted(events, key=lambda one: (one.time, one.id.bytes), reverse=True)]
    seen, before = [], {}
    while True:
        answer = ask(size=3, **before)
        seen += ids(answer)
        if answer.json["next"] is None:
            break
        before = {"before": answer.json["next"]}
        record(event(at=NOON + timedelta(hours=1)))
    assert seen == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"type": "USER"}, "type"),
        ({"type": "user.logged_in\n"}, "type"),
        ({"type": "x" * 101}, "type"),
        ({"user_id": "ann"}, "user_id"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-11-25T12:00:00"}, "until"),
        ({"size": 0}, "size"),
        ({"size": 101}, "size"),
        ({"before": "x"}, "before"),
        ({"before": "x" * 201}, "before"),
        ({"before": "ї"}, "before"),
        ({"before": ""}, "before"),
    ],
)
def test_wrong_questions(ask, query, field):
    answer = ask(**query)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json["errors"]] == [field]


@given(st.datetimes(timezones=st.timezones(), allow_imaginary=False), st.uuids())
def test_a_place_survives_a_url(at, event_id):
    place = Place(at, event_id)
    parsed = Place.parse(str(place))
    assert (parsed.at.isoformat(), parsed.id) == (at.isoformat(), event_id)
    assert str(place).replace("-", "").replace("_", "").isalnum()


@given(st.text())
def test_other_texts_are_no_places(text):
    with pytest.raises(ValueError, match="must be the `next`"):
        Place.parse(text)


def test_the_service_itself_can_change_nothing(app, record, audit_database, ask):
    one = event()
    record(one)
    connection = psycopg2.connect(audit_database.dsn("audit", "audit"), password=PASSWORD)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in ("update events set data = '{}'", "delete from events"):
                with pytest.raises(psycopg2.errors.RaiseException, match="only added"):
                    cursor.execute(statement)
            for statement in (
                "truncate events",
                "drop trigger keep_event on events",
                "alter table events disable trigger all",
            ):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
    finally:
        connection.close()
    assert ids(ask()) == [str(one.id)]


def test_old_events_expire(record, ask, run, audit_database):
    now = datetime.now(UTC)
    ages = (0, 39, 41, 400)
    events = [event(at=now - timedelta(days=age)) for age in ages]
    record(*events)
    assert run("expire", "--older-than-days", "40") == 0
    assert len(ids(ask())) == 4, "they have only just been recorded"
    audit_database.execute("alter table events disable trigger keep_event", "audit")
    audit_database.execute("update events set recorded_at = at", "audit")
    audit_database.execute("alter table events enable trigger keep_event", "audit")
    assert run("expire", "--older-than-days", "40") == 0
    assert ids(ask()) == [str(events[0].id), str(events[1].id)]
    assert run("expire", "--older-than-days", "40") == 0


@pytest.mark.parametrize("days", ["29", "0", "-1", "x", "36501"])
def test_a_retention_that_is_refused(run, days, capsys):
    with pytest.raises(SystemExit):
        run("expire", "--older-than-days", days)
    assert "--older-than-days" in capsys.readouterr().err


def test_all_that_is_consumed_is_recorded(audit_settings):
    consumes = {name: {"queue": f"audit:{name}"} for name in ("user.registered", "order.created")}
    settings = BrokerSettings(
        **audit_settings,
        broker_hosts="localhost:5671",
        broker_user="audit",
        broker_password=PASSWORD,
        broker_ca="/ca",
        broker_consumes=consumes,
    )
    assert handlers(settings) == dict.fromkeys(consumes, HANDLER)


def test_later_versions_are_recorded_too():
    assert HANDLER.read(event(version=7)) == Concerning(user_id=ANN)
    with pytest.raises(Reject):
        HANDLER.read(event(user_id="not an id"))


@pytest.mark.parametrize("kind", ["user.registered", "user.logged_in", "user.login_failed"])
def test_we_read_what_is_sent(kind):
    @given(st.data())
    def read(data):
        sent = data.draw(samples("users", kind))
        told = sent["user_id"]
        expected = Concerning(user_id=uuid.UUID(told) if told else None)
        assert Concerning.model_validate({**sent, "of_a_later_release": {"x": [1]}}) == expected

    read()


def test_schema_matches_models(audit_database):
    assert drift(audit_database, "audit", Base.metadata) == []


def test_the_kept_document_is_current(app):
    check(app.test_client(), "audit")
