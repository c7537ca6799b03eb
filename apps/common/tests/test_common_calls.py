"""Calls to another service."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, request
from support.things import Stopwatch
from tandem_common.api import Api
from tandem_common.application import create_application
from tandem_common.calls import CallFailed, Service
from tandem_common.metrics import Metrics
from tandem_common.problems import Unavailable
from tandem_common.settings import ServiceSettings
from werkzeug.serving import make_server


@pytest.fixture
def other():
    """Another service, and what it was asked."""
    app = Flask("other")
    app.seen = []

    @app.route("/status/<int:status>", methods=["GET", "PUT"])
    def answer(status):
        app.seen.append((request.method, dict(request.headers), request.get_json(silent=True)))
        return {"status": status}, status

    @app.post("/problem/<name>/<int:status>")
    def problem(name, status):
        return {"type": f"urn:tandem:problem:{name}"}, status

    @app.get("/slow")
    def slow():
        time.sleep(1)
        return {}

    @app.get("/elsewhere")
    def elsewhere():
        return "", 302, {"Location": "http://127.0.0.1:1/"}

    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    app.url = f"http://127.0.0.1:{server.server_port}/"
    yield app
    server.shutdown()
    server.server_close()


def test_passes_on_what_belongs_to_the_request(other):
    service = Service("other", other.url)
    api = Api("Caller", "/caller", "For tests.")
    caller = create_application("caller", ServiceSettings(), api, metrics=Metrics())
    caller.add_url_rule(
        "/go",
        view_func=lambda: str(service.request("PUT", "/status/200", body={"a": 1}, token="t").status_code),
    )
    assert caller.test_client().get("/go", headers={"X-Request-Id": "abc"}).text == "200"
    [(method, headers, body)] = other.seen
    assert (method, body) == ("PUT", {"a": 1})
    assert headers["X-Request-Id"] == "abc"
    assert headers["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("status", "passes"), [(200, True), (404, True), (409, True), (500, False), (503, False)]
)
def test_statuses(other, status, passes):
    service = Service("other", other.url)
    if passes:
        assert service.request("GET", f"/status/{status}").status_code == status
    else:
        with pytest.raises(Unavailable):
            service.request("GET", f"/status/{status}")


@pytest.mark.parametrize(
    ("name", "status", "maybe_done"),
    [("unavailable", 503, False), ("outcome-unknown", 503, True), ("unavailable", 502, True)],
)
def test_says_whether_something_may_have_happened(other, name, status, maybe_done):
    with pytest.raises(CallFailed) as caught:
        Service("other", other.url).request("POST", f"/problem/{name}/{status}")
    assert caught.value.maybe_done is maybe_done


def test_silence_may_hide_a_success(other):
    with pytest.raises(CallFailed) as caught:
        Service("other", other.url, answer_seconds=0.2).request("GET", "/slow")
    assert caught.value.maybe_done


def test_further_headers_are_sent(other):
    Service("other", other.url).request("GET", "/status/200", headers={"Idempotency-Key": "k"})
    assert other.seen[0][1]["Idempotency-Key"] == "k"


def test_redirects_are_not_followed(other):
    assert Service("other", other.url).request("GET", "/elsewhere").status_code == 302


def test_silence_ends(other):
    clock = Stopwatch()
    with pytest.raises(Unavailable):
        Service("other", other.url, answer_seconds=0.2).request("GET", "/slow")
    assert clock.seconds < 0.9


def test_nobody_there():
    with pytest.raises(Unavailable) as caught:
        Service("other", "http://127.0.0.1:1").request("GET", "/")
    assert caught.value.headers["Retry-After"]


def test_a_closed_idle_connection_is_no_failure():
    """The other side closes each connection after one answer, without saying so."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        for _ in range(2):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    service = Service("other", f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert [service.request("GET", "/").status_code for _ in range(2)] == [200, 200]
    thread.join()
    listener.close()


def test_a_slow_service_takes_only_some_threads(other):
    """Four calls at a time, five that wait for those, and the rest is refused."""
    service = Service("other", other.url, answer_seconds=3)
    with ThreadPoolExecutor(16) as pool:
        clock = Stopwatch()
        futures = [pool.submit(service.request, "GET", "/slow") for _ in range(16)]
        refused = sum(isinstance(future.exception(), Unavailable) for future in futures)
    assert refused >= 7
    assert clock.seconds < 5
