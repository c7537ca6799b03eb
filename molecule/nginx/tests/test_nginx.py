"""What the nginx role promises, with a stand-in for HAProxy's router behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

testinfra_hosts = ["ansible://nginx"]

ADDRESS, ADDRESS6 = "10.61.0.104", "fd61::104"
NAME = "shop.tandem.test"
SHOP = f"https://{NAME}"
AUTHORITY = "/etc/tandem/tls/ca.pem"


class Answer:
    """An HTTP answer as curl shows it."""

    def __init__(self, text: str) -> None:
        head, _, self.body = text.replace("\r\n", "\n").partition("\n\n")
        first, *rest = head.splitlines()
        self.version, self.status = first.split()[0], int(first.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
        }

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(host: Any, url: str, *options: str, address: str = ADDRESS) -> Answer:
    """Return the answer to a request; the shop's name leads to the given address and its certificate is checked."""
    resolve = " ".join(f"--resolve '{NAME}:{port}:[{address}]'" for port in (80, 443))
    fixed = f"--silent --show-error --include --max-time 20 --cacert {AUTHORITY} {resolve}"
    result = host.run(f"curl {fixed} {' '.join(options)} '{url}'")
    assert result.rc == 0, result.stderr
    return Answer(result.stdout)


@pytest.fixture
def sudo(host: Any) -> Iterator[Any]:
    with host.sudo():
        yield host


@pytest.fixture
def without_router(sudo: Any) -> Iterator[Any]:
    """The router is down during the test."""
    sudo.check_output("systemctl stop router")
    yield sudo
    sudo.check_output("systemctl start router")
    time.sleep(0.5)


def test_service(host: Any) -> None:
    service = host.service("nginx")
    assert service.is_running
    assert service.is_enabled


def test_nothing_listens_on_the_wildcard(sudo: Any) -> None:
    lines = [line.split() for line in sudo.check_output("ss -Hltnp").splitlines() if '"nginx"' in line]
    assert sorted({line[3] for line in lines}) == [
        f"{ADDRESS}:443",
        f"{ADDRESS}:80",
        f"[{ADDRESS6}]:443",
        f"[{ADDRESS6}]:80",
    ]


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS6])
def test_requests_reach_the_router_unchanged(host: Any, address: str) -> None:
    answer = ask(host, f"{SHOP}/a%2fb//c/../d?e=f%20g", "--path-as-is", address=address)
    assert (answer.version, answer.status) == ("HTTP/2", 200)
    assert answer.json["path"] == "/a%2fb//c/../d?e=f%20g"
    assert answer.json["headers"]["Host"] == NAME


def test_http_1_1_works_too(host: Any) -> None:
    answer = ask(host, f"{SHOP}/", "--http1.1")
    assert (answer.version, answer.status) == ("HTTP/1.1", 200)


def test_what_users_say_about_themselves_is_replaced(host: Any) -> None:
    said = {
        "X-Request-Id": "mine",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "ftp",
        "X-Forwarded-Host": "evil.test",
        "X_Forwarded_For": "192.0.2.1",
    }
    answer = ask(host, f"{SHOP}/", *(f"--header '{name}: {value}'" for name, value in said.items()))
    seen = answer.json["headers"]
    assert len(seen["X-Request-Id"]) == 32
    assert answer.headers["x-request-id"] == seen["X-Request-Id"]
    assert seen["X-Forwarded-For"] == ADDRESS
    assert seen["X-Forwarded-Proto"] == "https"
    assert seen["X-Forwarded-Host"] == NAME
    assert not [name for name in seen if "_" in name]


def test_connections_to_the_router_are_kept(host: Any) -> None:
    ports = {ask(host, f"{SHOP}/").json["port"] for _ in range(8)}
    assert len(ports) < 8


def test_http_is_redirected_with_its_method(host: Any) -> None:
    answer = ask(host, f"http://{NAME}/cart?x=1", "--data a=b")
    assert answer.status == 308
    assert answer.headers["location"] == f"{SHOP}/cart?x=1"


@pytest.mark.parametrize("address", [ADDRESS, f"[{ADDRESS6}]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_other_names_are_not_served(host: Any, scheme: str, address: str) -> None:
    assert ask(host, f"{scheme}://{address}/", "--insecure").status == 421
    assert ask(host, f"{scheme}://{address}/", "--insecure", "--header 'Host: other.test'").status == 421


def test_the_edge_says_that_it_lives(without_router: Any) -> None:
    for url in (SHOP, f"https://{ADDRESS}", f"http://{ADDRESS}"):
        answer = ask(without_router, f"{url}/.well-known/tandem/edge", "--insecure")
        assert (answer.status, answer.body) == (200, "ok\n")


def test_without_a_router_the_answer_says_to_try_again(without_router: Any) -> None:
    answer = ask(without_router, f"{SHOP}/orders", "--data x=1")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert answer.json["status"] == 503


def test_a_request_of_unknown_outcome_is_not_called_unprocessed(host: Any) -> None:
    answer = ask(host, f"{SHOP}/hang-up", "--data x=1")
    assert answer.status == 502
    assert "retry-after" not in answer.headers
    assert "not known" in answer.json["detail"]


@pytest.mark.parametrize("status", [404, 502, 503, 504])
def test_the_services_errors_pass_as_they_are(host: Any, status: int) -> None:
    answer = ask(host, f"{SHOP}/status/{status}")
    assert answer.status == status
    assert answer.json["path"] == f"/status/{status}"


def test_large_bodies_are_refused(host: Any) -> None:
    host.check_output("head -c 1100000 /dev/zero > /tmp/large")
    answer = ask(host, f"{SHOP}/", "--data-binary @/tmp/large")
    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("version", "status"), [("1.1", 35), ("1.2", 0), ("1.3", 0)])
def test_tls_versions(host: Any, version: str, status: int) -> None:
    # The lowest security level, so that it is the server who refuses old versions, not curl.
    options = f"--tlsv{version} --tls-max {version} --ciphers DEFAULT@SECLEVEL=0"
    result = host.run(f"curl --silent --insecure --output /dev/null {options} https://{ADDRESS}/")
    assert result.rc == status


def test_headers_for_browsers(host: Any) -> None:
    answer = ask(host, f"{SHOP}/")
    assert answer.headers["strict-transport-security"] == "max-age=86400"
    assert answer.headers["server"] == "nginx"


def test_the_log_has_a_line_of_json_per_request(sudo: Any) -> None:
    wanted = ask(sudo, f"{SHOP}/users/secret?token=1", "--user-agent 'a \"quoted\" agent'").headers[
        "x-request-id"
    ]
    time.sleep(1.5)
    entries = [
        json.loads(line) for line in sudo.file("/var/log/nginx/access.log").content_string.splitlines()
    ]
    (entry,) = [entry for entry in entries if entry["request_id"] == wanted]
    assert (entry["method"], entry["host"], entry["path"], entry["status"]) == (
        "GET",
        NAME,
        "/users/secret",
        200,
    )
    assert entry["user_agent"] == 'a "quoted" agent'
    assert entry["client"] == ADDRESS
    assert entry["seconds"] >= 0


def test_the_log_is_rotated(sudo: Any) -> None:
    assert sudo.run("logrotate --debug /etc/logrotate.d/nginx").rc == 0
    assert sudo.file("/usr/lib/systemd/system/logrotate.timer").exists


def test_a_wrong_configuration_would_not_pass(sudo: Any) -> None:
    assert sudo.run("nginx -t -q").rc == 0
    sudo.check_output("(cat /etc/nginx/nginx.conf; echo nonsense) > /tmp/wrong.conf")
    assert sudo.run("nginx -t -q -c /tmp/wrong.conf").rc != 0
