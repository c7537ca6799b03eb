"""What the haproxy role promises, on a host that is edge, app host and caller at once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.haproxy import (
    ADDRESS,
    DOOR,
    LISTENER,
    ROUTER,
    TLS,
    as_caller,
    ask,
    logged,
    runtime,
    servers,
    wait,
)

testinfra_hosts = ["ansible://haproxy"]


def test_service(host: Any) -> None:
    service = host.service("haproxy")
    assert service.is_running
    assert service.is_enabled


def test_nothing_listens_on_the_wildcard(sudo: Any) -> None:
    lines = [line.split() for line in sudo.check_output("ss -Hltnp").splitlines() if '"haproxy"' in line]
    assert sorted(line[3] for line in lines) == [
        f"{ADDRESS}:7443",
        f"{ADDRESS}:8405",
        "127.0.0.1:8080",
        "127.0.0.1:8405",
        "127.0.0.2:5000",
        "127.0.0.9:443",
        "127.0.0.9:80",
    ]


@pytest.mark.parametrize(
    ("path", "status", "port"),
    [
        ("/users/", 200, {"5000", "5001"}),
        ("/users/1", 200, {"5000", "5001"}),
        ("/users/tokens/1", 200, {"5010"}),
        ("/users/reports", 200, {"5000", "5001"}),  # at its own ingress it belongs to another service
        ("/users/tokens", 200, {"5000", "5001"}),
        ("/users", 404, set()),
        ("/me", 200, {"5000", "5001"}),
        ("/me/2?seconds=0", 200, {"5000", "5001"}),
        ("/mean", 404, set()),
        ("/cart", 200, {"5020"}),
        ("/cartoon", 404, set()),
        ("/orders?status=200", 200, {"5020"}),
        ("/", 404, set()),
        ("/.well-known/tandem/health/users", 404, set()),
    ],
)
def test_routes(host: Any, path: str, status: int, port: set[str]) -> None:
    answer = ask(host, ROUTER + path)
    assert answer.status == status
    if status == 200:
        assert answer.json["instance"] in port
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == status


def test_what_only_the_platform_may_say_is_taken_out(host: Any) -> None:
    said = {
        "X-Tandem-Service": "orders",
        "X-Tandem-Other": "1",
        "X_Tandem_Other": "1",
        "X-Forwarded-Server": "evil",
        "X_Forwarded_For": "evil",
        "Forwarded": "for=evil",
        "X-Forwarded-For": "192.0.2.1",
        "X-Request-Id": "known",
    }
    answer = ask(host, f"{ROUTER}/users/1", *(f"--header '{name}: {value}'" for name, value in said.items()))
    seen = {name.lower(): value for name, value in answer.json["headers"].items()}
    kept = {name: value for name, value in seen.items() if name.startswith(("x-", "x_", "forwarded"))}
    assert kept == {"x-forwarded-for": "192.0.2.1", "x-request-id": "known"}
    assert "server" not in answer.headers


def test_a_request_without_an_id_gets_one(host: Any) -> None:
    for url in (f"{ROUTER}/users/1", f"{LISTENER}/users/1"):
        seen = {name.lower(): value for name, value in ask(host, url).json["headers"].items()}
        assert len(seen["x-request-id"]) == 36


def test_the_log_has_a_line_of_json_per_request(sudo: Any) -> None:
    def request() -> None:
        ask(sudo, f"{ROUTER}/users/secret?token=1", "--header 'X-Request-Id: find-me'")

    request()
    router = logged(sudo, "find-me", 1, request)[0]
    assert (router["frontend"], router["backend"], router["server"]) == ("router", "route_users", "m-haproxy")
    assert router["path"] == "/users/secret"
    assert router["status"] == 200
    assert router["total_ms"] >= 0


def test_the_door_logs_what_no_service_has_answered_well(sudo: Any) -> None:
    asked = {"went-well": "/users/1", "hung-up": "/users/1?hang-up=1", "refused": "/users/1?status=503"}

    def request() -> None:
        for request_id, path in asked.items():
            ask(sudo, f"{ROUTER}{path}", f"--header 'X-Request-Id: door-{request_id}'")

    request()
    # Waited for one by one: a request may be tried at several doors, so a number of lines says nothing of all of them.
    for request_id, count in (("went-well", 1), ("hung-up", 2), ("refused", 2)):
        logged(sudo, f'"door-{request_id}"', count, request)
    found = logged(sudo, '"door-', 5)
    doors = {entry["request_id"]: entry for entry in found if entry["frontend"] == "door"}
    assert sorted(doors) == ["door-hung-up", "door-refused"]
    refused = doors["door-refused"]
    assert (refused["backend"], refused["caller"], refused["status"]) == ("svc_users", "m-haproxy", 503)
    assert {entry["request_id"] for entry in found} == {f"door-{request_id}" for request_id in asked}


def test_own_ingress(sudo: Any) -> None:
    name = "shop.tandem.test"
    known = (f"--cacert {TLS}/ca.pem", f"--resolve {name}:443:127.0.0.9", f"--resolve {name}:80:127.0.0.9")
    said = ("--header 'X-Forwarded-For: 192.0.2.1'", "--header 'X-Request-Id: mine'")
    answer = ask(sudo, f"https://{name}/users/reports/1", *known, *said)
    assert (answer.status, answer.json["instance"]) == (200, "5030")
    seen = answer.json["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"], seen["x-forwarded-host"]) == (
        "127.0.0.1",
        "https",
        name,
    )
    assert len(seen["x-request-id"]) == 36
    assert answer.headers["x-request-id"] == seen["x-request-id"]
    assert answer.headers["strict-transport-security"] == "max-age=86400"
    assert ask(sudo, f"https://{name}/users/1", *known).status == 404
    redirect = ask(sudo, f"http://{name}/users/reports?a=b", *known)
    assert (redirect.status, redirect.headers["location"]) == (308, f"https://{name}/users/reports?a=b")


def test_listener_reaches_the_service(host: Any) -> None:
    assert ask(host, f"{LISTENER}/users/1").json["instance"] in {"5000", "5001"}


def test_door_refuses_callers_without_a_certificate(host: Any) -> None:
    result = host.run(f"curl --silent --insecure --header 'X-Tandem-Service: users' {DOOR}/users/1")
    assert result.rc != 0
    assert not result.stdout


def test_door_speaks_tls_1_3_only(sudo: Any) -> None:
    result = sudo.run(f"curl --silent --tls-max 1.2 {' '.join(as_caller('m-haproxy'))} {DOOR}/")
    assert result.rc == 35


@pytest.mark.parametrize(
    ("caller", "service", "status"),
    [
        ("m-haproxy", "users", 200),
        ("m-other", "users", 403),
        ("m-other", "tokens", 200),
        ("m-stranger", "tokens", 403),
        ("m-haproxy", "nonesuch", 404),
        ("m-haproxy", "svc_users", 404),
    ],
)
def test_door_knows_who_may_call_what(sudo: Any, caller: str, service: str, status: int) -> None:
    health = ask(sudo, f"{DOOR}/.well-known/tandem/health/{service}", *as_caller(caller))
    request = ask(sudo, f"{DOOR}/x", *as_caller(caller), f"--header 'X-Tandem-Service: {service}'")
    assert (health.status, request.status) == (status, status)


def test_draining_a_service_makes_its_health_fail_and_no_request(sudo: Any) -> None:
    def health(service: str) -> int:
        return ask(sudo, f"{DOOR}/.well-known/tandem/health/{service}", *as_caller("m-haproxy")).status

    runtime(sudo, "add map /etc/haproxy/drain.map users 1")
    assert (health("users"), health("tokens")) == (503, 200)
    wait(lambda: servers(sudo)["route_users", "m-haproxy"]["status"] == "DOWN")
    # It is the only host that is left, and still serves.
    for url in (f"{ROUTER}/users/1", f"{LISTENER}/users/1"):
        for options in ((), ("--data x=1",)):
            assert ask(sudo, url, *options).status == 200
    runtime(sudo, "del map /etc/haproxy/drain.map users")
    assert health("users") == 200


def test_a_dead_instance_costs_no_request_of_any_method(sudo: Any) -> None:
    sudo.check_output("systemctl stop instance@5001")
    answers = [ask(sudo, f"{ROUTER}/users/{number}", "--data x=1") for number in range(10)]
    assert {(answer.status, answer.json["instance"]) for answer in answers} == {(200, "5000")}


def test_requests_wait_for_a_free_thread(sudo: Any) -> None:
    url = f"{DOOR}/x?seconds=0.5"
    options = f"--silent --write-out '%{{http_code}} ' {' '.join(as_caller('m-haproxy'))}"
    urls = f"--output /dev/null {url} " * 3
    command = f"curl {options} --header 'X-Tandem-Service: reports' --parallel --parallel-immediate {urls}"
    started = time.monotonic()
    assert sudo.check_output(command).split() == ["200", "200", "200"]
    assert time.monotonic() - started > 1.4, (
        "an instance with one thread was given several requests at a time"
    )


def test_a_service_without_instances_is_unavailable_for_a_moment(sudo: Any) -> None:
    sudo.check_output("systemctl stop instance@5020")
    for options in ((), ("--data x=1",)):
        answer = ask(sudo, f"{ROUTER}/orders", *options)
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["title"] == "Service Unavailable"


def test_the_service_s_own_errors_pass_as_they_are(host: Any) -> None:
    for status in (404, 500, 503):
        answer = ask(host, f"{ROUTER}/users/1?status={status}")
        assert answer.status == status
        assert answer.json["instance"] in {"5000", "5001"}


PAGE = "--header 'X-Tandem-Page: 1'"  # what NGINX says when a browser asks


def test_nginx_is_told_which_errors_need_a_page(host: Any) -> None:
    unanswered = {"/nothing": 404, "/users/1?hang-up=1": 502}  # made by the router, and by the door
    for path, status in unanswered.items():
        page = ask(host, ROUTER + path, PAGE, "--data x=1")
        assert (page.status, page.headers["x-accel-redirect"]) == (status, f"@error_{status}")
        assert not {"content-type", "cache-control", "x-tandem-error"} & set(page.headers)
        document = ask(host, ROUTER + path, "--data x=1")
        assert (document.status, document.headers["content-type"]) == (status, "application/problem+json")
        assert not {"x-accel-redirect", "x-tandem-error"} & set(document.headers)


def test_a_service_that_is_unavailable_needs_a_page(sudo: Any) -> None:
    sudo.check_output("systemctl stop instance@5020")
    for options in ((), ("--data x=1",)):
        page = ask(sudo, f"{ROUTER}/orders", PAGE, *options)
        assert (page.status, page.headers["x-accel-redirect"]) == (503, "@error_503")
        assert page.headers["retry-after"] == "1"


def test_services_cannot_name_a_page(host: Any) -> None:
    for header in ("X-Accel-Redirect:@error_404", "X-Tandem-Error:door", "X-Other:1"):
        for status in (200, 404, 503):
            answer = ask(host, f"{ROUTER}/users/1?status={status}&header={header}", PAGE)
            assert answer.status == status
            assert answer.json["instance"] in {"5000", "5001"}
            assert not {"x-accel-redirect", "x-tandem-error"} & set(answer.headers)
    assert "x-tandem-page" not in {name.lower() for name in answer.json["headers"]}


def test_callers_of_a_listener_are_told_nothing_of_the_platform(host: Any) -> None:
    answer = ask(host, f"{LISTENER}/users/1?hang-up=1", "--data x=1")
    assert (answer.status, answer.headers["content-type"]) == (502, "application/problem+json")
    assert "x-tandem-error" not in answer.headers


def test_other_sites_serve_only_while_no_local_host_can(sudo: Any) -> None:
    known = servers(sudo)
    for backend in ("route_users", "route_users_writes", "call_users", "call_users_writes"):
        kinds = {
            name: (known[backend, name]["act"], known[backend, name]["bck"])
            for name in ("m-haproxy", "m-elsewhere")
        }
        assert kinds == {"m-haproxy": ("1", "0"), "m-elsewhere": ("0", "1")}


HOLD = """
import http.client, subprocess, sys
connection = http.client.HTTPConnection("127.0.0.1", 8080)
def ask():
    connection.request("POST", "/users/1", body="x=1")
    answer = connection.getresponse()
    answer.read()
    return answer.status
first = ask()
held = connection.sock
subprocess.run(["systemctl", "reload", "haproxy"], check=True)
import time
time.sleep(2)
print(first, connection.sock is held, ask())
"""


def test_a_reload_keeps_connections(sudo: Any) -> None:
    sudo.run("cat > /tmp/hold.py <<'END'\n" + HOLD + "END")
    assert sudo.check_output("python3 /tmp/hold.py").split() == ["200", "True", "200"]


def test_statistics(host: Any) -> None:
    assert "haproxy_backend_http_responses_total" in ask(host, "http://127.0.0.1:8405/metrics").body
