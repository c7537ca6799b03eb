"""What every application has: errors, request ids, logs, health, metrics, documents."""

import json
import logging
import time
import uuid

import pytest
from pydantic import Field
from support.apps import database_settings
from support.things import add
from tandem_common.api import PUBLIC, Answer, Api, Header
from tandem_common.application import create_application
from tandem_common.database import Database
from tandem_common.fields import Id, Input, Output, PageQuery, Text
from tandem_common.metrics import Metrics
from tandem_common.problems import NotFound
from tandem_common.settings import DatabaseSettings, ServiceSettings
from tandem_common.tokens import ADMIN, Issuer, Verifier
from tandem_common.watch import Watch


class Thing(Input):
    """A thing."""

    name: Text = Field(min_length=1, max_length=10)
    number: Id = 1


class Named(Output):
    """Its name."""

    name: str


@pytest.fixture
def api(database):
    api = Api("Things", "/things", "For tests.")

    @api.operation("POST", "/things", "Make", body=Thing, answers={201: Named})
    def make(body):
        database.transaction(add(body.name))
        return Named(name=body.name)

    @api.operation("GET", "/things", "List", query=PageQuery, answers={200: Named})
    def list_things(query):
        return Named(name=f"{query.page}/{query.size}")

    @api.operation("GET", "/things/key", "Key", header=Header("Key", "A key", 5), answers={200: Named})
    def key(header):
        return Answer(Named(name=header), 202, {"Thing": "yes"})

    @api.operation("GET", "/things/broken", "Broken", answers={200: Named})
    def broken():
        raise KeyError("a secret")

    @api.operation("GET", "/things/stored", "Data error", answers={200: Named})
    def stored():
        return Named(
            name=str(database.read(lambda session: session.connection().exec_driver_sql("select 'a'::int")))
        )

    return api


@pytest.fixture
def settings(common_settings):
    return DatabaseSettings(**common_settings, site="msk", host_name="msk-app1", ready_grace_seconds=0)


@pytest.fixture
def client(api, settings, database):
    return create_application("things", settings, api, metrics=Metrics(), database=database).test_client()


def fields(answer):
    assert answer.mimetype == "application/problem+json", answer.text
    assert answer.json["status"] == answer.status_code
    return {error["field"] for error in answer.json.get("errors", [])}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"\xff\xfe", 400, "body"),
        (b"\x00", 400, "body"),
        (b'{"name": "a"} x', 400, "body"),
        (b"[" * 100_000, 413, None),
        (b"[" * 10_000, 400, "body"),
        (b'{"name": "\\ud800"}', 400, "body"),
        (b'{"name": NaN}', 422, "name"),
        (b"[]", 422, "body"),
        (b"null", 422, "body"),
        (b'"name"', 422, "body"),
        (b"{}", 422, "name"),
        (b'{"name": null}', 422, "name"),
        (b'{"name": 1}', 422, "name"),
        (b'{"name": ["a"]}', 422, "name"),
        (b'{"name": ""}', 422, "name"),
        (b'{"name": "12345678901"}', 422, "name"),
        (b'{"name": "a\\u0000b"}', 422, "name"),
        (b'{"name": "a\\u001bb"}', 422, "name"),
        (b'{"name": "a", "number": "1"}', 422, "number"),
        (b'{"name": "a", "number": 1.0}', 422, "number"),
        (b'{"name": "a", "number": true}', 422, "number"),
        (b'{"name": "a", "number": 0}', 422, "number"),
        (b'{"name": "a", "number": 1e400}', 422, "number"),
        (b'{"name": "a", "number": ' + b"9" * 400 + b"}", 422, "number"),
        (b'{"name": "a", "number": ' + b"9" * 5000 + b"}", 400, "body"),
        (b'{"name": "a", "more": 1}', 422, "more"),
    ],
)
def test_wrong_bodies(client, body, status, field):
    answer = client.post("/things", data=body, content_type="application/json")
    assert answer.status_code == status, answer.text
    assert fields(answer) == ({field} if field else set())


def test_every_wrong_field_is_named(client):
    answer = client.post("/things", json={"number": 0, "more": 1})
    assert fields(answer) == {"name", "number", "more"}


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_other_media_types(client, kind):
    assert client.post("/things", data=b'{"name": "a"}', content_type=kind).status_code == 415


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=", "page"),
        ("page=1.5", "page"),
        ("page=%00", "page"),
        ("page=%ff", "page"),
        ("page=99999999999999999999999999", "page"),
        ("page=" + "9" * 5000, "page"),
        ("size=101", "size"),
    ],
)
def test_wrong_queries(client, query, field):
    answer = client.get(f"/things?{query}")
    assert answer.status_code == 422, answer.text
    assert fields(answer) == {field}


def test_queries(client):
    assert client.get("/things?page=3&other=1&page=9").json == {"name": "3/20"}
    assert client.get("/things/").status_code == 200


@pytest.mark.parametrize("key", [None, "", " ", "123456", "é", "a\tb"])
def test_wrong_headers(client, key):
    answer = client.get("/things/key", headers={} if key is None else {"Key": key})
    assert answer.status_code == 400
    assert fields(answer) == {"Key"}


def test_answers_with_a_status_of_their_own(client):
    answer = client.get("/things/key", headers={"Key": "k"})
    assert (answer.status_code, answer.headers["Thing"], answer.json) == (202, "yes", {"name": "k"})


def test_errors_of_http(client):
    unknown = client.get("/nowhere")
    assert unknown.status_code == 404
    fields(unknown)
    wrong = client.delete("/things")
    assert wrong.status_code == 405
    assert set(wrong.headers["Allow"].split(", ")) >= {"GET", "POST"}
    fields(wrong)


# --- what may be cached


@pytest.fixture
def shared():
    """A client of operations that may be cached; its `state` is what they answer."""
    api = Api("Shared", "/shared", "For tests.")
    state = {"name": "a"}

    @api.operation("GET", "/shared", "List", query=PageQuery, cacheable=True, answers={200: Named})
    def list_shared(query):
        return Named(name=f"{state['name']} {query.page}")

    @api.operation("GET", "/shared/gone", "Gone", cacheable=True, answers={200: Named}, problems=[404])
    def gone():
        raise NotFound("There is no such thing.")

    @api.operation("GET", "/shared/broken", "Broken", cacheable=True, answers={200: Named})
    def broken():
        raise KeyError

    @api.operation("GET", "/shared/odd", "Odd", cacheable=True, answers={200: Named})
    def odd():
        return Answer(Named(name="not now"), 202)

    client = create_application("shared", ServiceSettings(), api, metrics=Metrics()).test_client()
    client.state = state
    return client


def test_cacheable_answers_say_so(shared):
    plain = shared.get("/shared")
    assert plain.headers.getlist("Cache-Control") == [PUBLIC]
    assert "public" in PUBLIC
    assert "s-maxage=2" in PUBLIC
    private = shared.get("/shared", headers={"Authorization": "Bearer x", "Cookie": "a=b"})
    assert (private.data, private.headers["ETag"]) == (plain.data, plain.headers["ETag"])
    for answer in (plain, private):
        assert "Set-Cookie" not in answer.headers
        assert "Vary" not in answer.headers
    head = shared.head("/shared")
    assert (head.data, head.headers["ETag"]) == (b"", plain.headers["ETag"])
    assert int(head.headers["Content-Length"]) == len(plain.data)


def test_a_current_copy_is_not_sent_again(shared):
    tag = shared.get("/shared").headers["ETag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = shared.get("/shared", headers={"If-None-Match": given})
        assert (answer.status_code, answer.data) == (304, b""), given
        assert answer.headers["ETag"] == tag
        assert answer.headers.getlist("Cache-Control") == [PUBLIC]
        assert "Content-Type" not in answer.headers
    for given in ('"other"', "x", "", tag.strip('"')[1:]):
        assert shared.get("/shared", headers={"If-None-Match": given}).status_code == 200, given
    assert shared.get("/shared?page=2", headers={"If-None-Match": tag}).status_code == 200
    shared.state["name"] = "b"
    changed = shared.get("/shared", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json) == (200, {"name": "b 1"})
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/shared?page=0", 422),
        ("/shared/gone", 404),
        ("/shared/broken", 500),
        ("/shared/odd", 202),
        ("/shared/openapi.json", 200),
        ("/nowhere", 404),
    ],
)
def test_only_successes_are_cacheable(shared, path, status):
    answer = shared.get(path, headers={"If-None-Match": "*"})
    assert answer.status_code == status
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert "ETag" not in answer.headers


def test_operations_for_a_role(private_key):
    names = {"issuer": "tandem-users", "audience": "tandem-shop"}
    api = Api("Secrets", "/secrets", "For tests.", Verifier([private_key.public_key()], **names))

    @api.operation("GET", "/secrets", "Look", token=True, role=ADMIN, answers={200: Named})
    def look(claims):
        return Named(name=str(claims.user_id))

    client = create_application("secrets", ServiceSettings(), api, metrics=Metrics()).test_client()
    issuer = Issuer(private_key, lifetime_seconds=60, **names)

    def ask(**roles):
        headers = {"Authorization": f"Bearer {issuer.issue(uuid.uuid4(), **roles)}"}
        return client.get("/secrets", headers=headers)

    assert client.get("/secrets").status_code == 401
    assert ask(roles=[ADMIN]).status_code == 200
    for refused in (ask(), ask(roles=["administrator"])):
        assert refused.status_code == 403
        assert refused.json["type"] == "urn:tandem:problem:forbidden"
    assert "403" in client.get("/secrets/openapi.json").json["paths"]["/secrets"]["get"]["responses"]
    with pytest.raises(ValueError, match="only a token has roles"):
        api.operation("GET", "/more", "More", role=ADMIN)(look)


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("POST", "/things", {"json": {"name": "a"}}, 201),
        ("GET", "/things", {}, 200),
        ("HEAD", "/things", {}, 200),
        ("OPTIONS", "/things", {}, 200),
        ("DELETE", "/things", {}, 405),
        ("GET", "/things/key", {}, 400),
        ("POST", "/things", {"json": {}}, 422),
        ("POST", "/things", {"data": "x"}, 415),
        ("POST", "/things", {"data": b"[" * 100_000, "content_type": "application/json"}, 413),
        ("GET", "/things/broken", {}, 500),
        ("GET", "/health/live", {}, 200),
        ("GET", "/health/ready", {}, 200),
        ("GET", "/health/writable", {}, 200),
        ("GET", "/metrics", {}, 200),
    ],
)
def test_all_else_is_not_stored(client, method, path, more, status):
    answer = client.open(path, method=method, **more)
    assert answer.status_code == status, answer.text
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("method", "more"), [("POST", {}), ("GET", {"token": True}), ("GET", {"header": Header("K", "", 1)})]
)
def test_what_may_differ_is_never_declared_cacheable(method, more):
    api = Api("Wrong", "/wrong", "For tests.")
    with pytest.raises(ValueError, match="/wrong/x"):
        api.operation(method, "/wrong/x", "Wrong", cacheable=True, **more)(lambda: None)


def test_caching_is_documented(shared):
    answers = shared.get("/shared/openapi.json").json["paths"]["/shared"]["get"]["responses"]
    assert set(answers["200"]["headers"]) == {"Cache-Control", "ETag"}
    assert "304" in answers


# --- errors that nobody declared


def test_unexpected_errors_are_logged_and_not_shown(client, caplog):
    with caplog.at_level(logging.ERROR):
        answer = client.get("/things/broken", headers={"X-Request-Id": "abc"})
    assert answer.status_code == 500
    assert answer.json["request_id"] == "abc"
    assert "secret" not in answer.text
    assert "request failed" in caplog.text


def test_what_the_database_refuses_is_wrong_input(client):
    assert client.get("/things/stored").status_code == 400


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2:3_4", True), ("a" * 129, False), ("a b", False), ("", False), ("é", False)]
)
def test_request_ids(client, given, kept):
    answer = client.get("/things", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) == kept
    assert answer.headers["X-Request-Id"]


def test_logs_are_json_with_the_request_id(capsys, api, settings, database):
    client = create_application("things", settings, api, metrics=Metrics(), database=database).test_client()
    client.get("/things", headers={"X-Request-Id": "abc"})
    line = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert line["request_id"] == "abc"
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["status"], line["site"]) == ("GET", "/things", 200, "msk")


def test_lines_of_a_request_carry_the_order_and_nothing_of_the_next_one(capsys, settings):
    api = Api("Things", "/things", "Test.")
    api.operation("GET", "/things/<uuid:order_id>", "one", answers={200: Named})(
        lambda order_id: Named(name="a")
    )
    api.operation("GET", "/things", "all", answers={200: Named})(lambda: Named(name="a"))
    client = create_application("things", settings, api, metrics=Metrics()).test_client()
    client.get("/things/3fa85f64-5717-4562-b3fc-2c963f66afa6")
    client.get("/things")
    first, second = [json.loads(line) for line in capsys.readouterr().out.strip().splitlines()]
    assert first["order_id"] == "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    assert "order_id" not in second


def test_metrics(client):
    client.post("/things", json={"name": "a"})
    client.get("/things/1/2/3")
    page = client.get("/metrics").text
    assert 'http_requests_total{method="POST",route="/things",status="201"} 1.0' in page
    assert 'route="unknown"' in page
    assert "/things/1/2/3" not in page
    assert "http_requests_in_progress 1.0" in page


def test_health(client):
    for path in ("/health/live", "/health/ready", "/health/writable"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["site"]) == (200, "msk"), answer.text


def test_health_without_a_primary(common_database, settings, api, database, monkeypatch):
    monkeypatch.setattr("tandem_common.watch.INTERVAL_SECONDS", 0.1)
    client = create_application("things", settings, api, metrics=Metrics(), database=database).test_client()
    assert client.get("/health/writable").status_code == 200
    common_database.execute("alter system set default_transaction_read_only = on")
    common_database.execute("select pg_reload_conf()")
    try:
        time.sleep(0.5)
        answer = client.get("/health/writable")
        assert answer.status_code == 503
        assert "msk" in answer.json["detail"]
        assert client.get("/health/ready").status_code == 200
        refused = client.post("/things", json={"name": "a"})
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        common_database.execute("alter system reset default_transaction_read_only")
        common_database.execute("select pg_reload_conf()")
    deadline = time.monotonic() + 3
    while client.get("/health/writable").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Flaky(Database):
    """A database whose nodes come and go by command."""

    def __init__(self) -> None:
        self.up = False
        self.closed = False

    def readable(self, seconds=1.0):
        return self.up

    def writable(self, seconds=1.0):
        return self.up


@pytest.mark.parametrize(("grace", "stays"), [(15, True), (0, False)])
def test_ready_does_not_flap(monkeypatch, grace, stays):
    monkeypatch.setattr("tandem_common.watch.FRESH_SECONDS", 0.05)
    database = Flaky()
    watch = Watch(database, grace_seconds=grace, registry=Metrics().registry)
    watch._checked.set()
    watch.check()
    assert not watch.ready(), "never ready before the first answer of a node"
    database.up = True
    watch.check()
    assert watch.ready()
    assert watch.writable()
    database.up = False
    watch.check()
    time.sleep(0.1)
    assert watch.ready() is stays
    assert not watch.writable()


def test_a_service_without_a_database_is_always_ready():
    api = Api("Plain", "/plain", "For tests.")
    client = create_application("plain", ServiceSettings(), api, metrics=Metrics()).test_client()
    assert client.get("/health/ready").status_code == 200
    assert client.get("/health/writable").status_code == 200


def test_unknown_outcome_over_http(client, common_database):
    common_database.require_missing_standby(True)
    answer = client.post("/things", json={"name": "a"})
    assert answer.status_code == 503
    assert answer.json["type"] == "urn:tandem:problem:outcome-unknown"
    assert answer.headers["Retry-After"]


def test_openapi_document(client):
    document = client.get("/things/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {"/things", "/things/key", "/things/broken", "/things/stored"}
    operation = document["paths"]["/things"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Thing"
    }
    assert set(operation["responses"]) == {"201", "400", "413", "415", "422", "503"}
    assert {"Thing", "Named", "Problem", "FieldError"} <= set(document["components"]["schemas"])


def test_settings_come_from_the_environment_and_credentials(monkeypatch, tmp_path, common_database):
    given = database_settings(common_database, "common")
    (tmp_path / "database_password").write_text("from-a-file\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("DATABASE_DSN", given["database_dsn"])
    monkeypatch.setenv("SITE", "spb")
    settings = DatabaseSettings.load()
    assert (settings.site, settings.database_password.get_secret_value()) == ("spb", "from-a-file")
    assert "from-a-file" not in repr(settings)
    monkeypatch.setenv("DATABASE_POOL", "secret-by-mistake")
    with pytest.raises(ValueError, match="database_pool") as caught:
        DatabaseSettings.load()
    assert "secret-by-mistake" not in str(caught.value)
