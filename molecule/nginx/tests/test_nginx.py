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
MAINTENANCE = "/etc/nginx/tandem/maintenance"
WELL_SECONDS = (
    8.5  # nginx_cache_wait_s and nginx_cache_retry_s: then NGINX knows of every failure, and tries again
)
TOO_OLD_SECONDS = 2.2  # an answer with s-maxage=1 is too old then: NGINX counts whole seconds
BROWSER = "--header 'Accept: text/html,application/xhtml+xml,*/*;q=0.8'"
RUSSIAN = "--header 'Accept-Language: ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7'"


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


def reached_router(answer: Answer) -> int:
    """The number that the stand-in gave its answer: a kept one comes with the same number again."""
    number: int = answer.json["number"]
    return number


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


@pytest.fixture
def mode(sudo: Any) -> Iterator[Any]:
    """Set how the stand-in answers below /products/; afterwards it is well, and NGINX knows."""

    def change(name: str) -> None:
        sudo.check_output(f"curl --silent --fail --data '' http://127.0.0.1:8080/mode/{name}")

    yield change
    change("well")
    time.sleep(WELL_SECONDS)


@pytest.fixture
def maintenance(sudo: Any) -> Iterator[Any]:
    """Maintenance is on during the test."""
    sudo.check_output(f"touch {MAINTENANCE}")
    yield sudo
    sudo.check_output(f"rm {MAINTENANCE}")
    time.sleep(WELL_SECONDS)


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
    assert answer.json["request_id"] == answer.headers["x-request-id"]


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


@pytest.mark.parametrize("path", ["/products/", "/users/"])
def test_large_bodies_are_refused_on_every_path(host: Any, path: str) -> None:
    host.check_output("head -c 1100000 /dev/zero > /tmp/large")
    assert ask(host, f"{SHOP}{path}", "--data-binary @/tmp/large", BROWSER).status == 413


@pytest.mark.parametrize(("version", "status"), [("1.1", 35), ("1.2", 0), ("1.3", 0)])
def test_tls_versions(host: Any, version: str, status: int) -> None:
    # The lowest security level, so that it is the server who refuses old versions, not curl.
    options = f"--tlsv{version} --tls-max {version} --ciphers DEFAULT@SECLEVEL=0"
    result = host.run(f"curl --silent --insecure --output /dev/null {options} https://{ADDRESS}/")
    assert result.rc == status


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_tls_sessions_are_resumed(host: Any, version: str) -> None:
    connect = f"openssl s_client -connect {ADDRESS}:443 -servername {NAME} -{version}"
    first = host.check_output(f"(sleep 0.5; echo) | {connect} -sess_out /tmp/session 2>/dev/null")
    again = host.check_output(f"(sleep 0.5; echo) | {connect} -sess_in /tmp/session 2>/dev/null")
    assert "\nNew, TLSv1." in first
    assert "\nReused, TLSv1." in again


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


# The cache


def test_a_public_answer_is_kept(host: Any) -> None:
    first, second = (ask(host, f"{SHOP}/products/fresh-kept?page=2") for _ in range(2))
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert reached_router(first) == reached_router(second)
    assert reached_router(ask(host, f"{SHOP}/products/fresh-kept?page=3")) != reached_router(first)


def test_users_cannot_pass_by_the_cache(host: Any) -> None:
    first = ask(host, f"{SHOP}/products/fresh-pass")
    for name in ("Cache-Control: no-cache", "Cache-Control: no-store", "Pragma: no-cache", "Cookie: a=b"):
        assert reached_router(
            ask(host, f"{SHOP}/products/fresh-pass", f"--header '{name}'")
        ) == reached_router(first)


def test_the_origin_of_kept_answers_does_not_know_who_asks(host: Any) -> None:
    who = ["--header 'Cookie: session=1'", "--header 'Authorization: Bearer a.b.c'", "--compressed"]
    who += ["--header 'Accept-Language: ru'", "--header 'Origin: https://evil.test'"]
    answer = ask(host, f"{SHOP}/products/anonymous", "--request GET", "--data secret=1", *who)
    seen = {name.lower() for name in answer.json["headers"]}
    platform = {"host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    assert seen == platform
    assert answer.json["received"] == 0


def test_api_clients_pass_by_the_cache(host: Any) -> None:
    ask(host, f"{SHOP}/products/fresh-client")
    answers = [ask(host, f"{SHOP}/products/fresh-client", "--header 'X-API-Key: key'") for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in answers] == ["-", "-"]
    assert reached_router(answers[0]) != reached_router(answers[1])
    seen = {name.lower(): value for name, value in answers[0].json["headers"].items()}
    assert seen["x-api-key"] == "key"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_pass_as_they_are(host: Any, method: str) -> None:
    ask(host, f"{SHOP}/products/fresh-methods")
    who = ["--header 'Cookie: session=1'", "--header 'Authorization: Bearer a.b.c'"]
    answer = ask(host, f"{SHOP}/products/fresh-methods", f"--request {method}", "--data a=b", *who)
    assert answer.headers["x-cache"] == "-"
    assert (answer.json["method"], answer.json["received"]) == (method, 3)
    seen = {name.lower(): value for name, value in answer.json["headers"].items()}
    assert (seen["cookie"], seen["authorization"]) == ("session=1", "Bearer a.b.c")


def test_paths_of_others_below_are_not_kept(host: Any) -> None:
    answers = [ask(host, f"{SHOP}/products/mine/", "--header 'Cookie: session=1'") for _ in range(2)]
    assert {answer.headers["x-cache"] for answer in answers} == {"-"}
    assert len({reached_router(answer) for answer in answers}) == 2
    assert answers[0].json["headers"]["cookie"] == "session=1"


@pytest.mark.parametrize(
    "name", ["private", "nostore", "nothing", "maxage", "notpublic", "accel", "cookie", "vary"]
)
def test_what_is_not_public_is_never_kept(host: Any, name: str) -> None:
    answers = [ask(host, f"{SHOP}/products/{name}") for _ in range(3)]
    assert {answer.headers["x-cache"] for answer in answers} == {"MISS"}
    assert len({reached_router(answer) for answer in answers}) == 3


def test_one_user_never_sees_what_another_one_got(host: Any) -> None:
    """Every path and method, first as Alice, then as Bob: whatever Bob gets knows nothing of Alice."""
    names = [
        "fresh-two",
        "plain-two",
        "private-two",
        "cookie-two",
        "vary-two",
        "mine/",
        "%2e%2e/users/me",
        ".js",
    ]
    paths = [f"/products/{name}" for name in names] + [
        "/users/..%2fproducts/fresh-two",
        "/%70roducts/fresh-two",
    ]
    for path in paths:
        for method in ("--get", "--head", "--request POST", "--request OPTIONS"):
            for user in ("alice", "bob"):
                who = f"--header 'Cookie: session={user}' --header 'Authorization: Bearer {user}'"
                answer = ask(host, f"{SHOP}{path}", "--path-as-is", method, who)
                assert user == "alice" or "alice" not in answer.body, f"{method} {path}"


def test_head_and_get_share_an_answer(host: Any) -> None:
    assert ask(host, f"{SHOP}/products/fresh-head", "--head").headers["x-cache"] == "MISS"
    answer = ask(host, f"{SHOP}/products/fresh-head")
    assert answer.headers["x-cache"] == "HIT"
    assert answer.json["method"] == "GET"


def test_a_kept_answer_is_compared_with_what_the_browser_has(host: Any) -> None:
    first = ask(host, f"{SHOP}/products/fresh-etag")
    etag = first.headers["etag"]
    answer = ask(host, f"{SHOP}/products/fresh-etag", f"--header 'If-None-Match: {etag}'")
    assert (answer.status, answer.body, answer.headers["x-cache"]) == (304, "", "HIT")
    assert answer.headers["cache-control"] == first.headers["cache-control"]


def test_a_part_is_never_taken_for_the_whole(host: Any) -> None:
    part = "--header 'Range: bytes=0-9'"
    first = ask(host, f"{SHOP}/products/fresh-range", part)
    assert "range" not in {name.lower() for name in first.json["headers"]}
    assert reached_router(ask(host, f"{SHOP}/products/fresh-range")) == reached_router(first)


def test_an_old_answer_is_shown_while_a_new_one_is_fetched(host: Any, mode: Any) -> None:
    first = ask(host, f"{SHOP}/products/swr")
    time.sleep(TOO_OLD_SECONDS)
    mode("slow")
    started = time.monotonic()
    answers = [ask(host, f"{SHOP}/products/swr") for _ in range(3)]
    assert time.monotonic() - started < 2
    assert [answer.headers["x-cache"] for answer in answers] == ["STALE", "UPDATING", "UPDATING"]
    assert {reached_router(answer) for answer in answers} == {reached_router(first)}


def test_a_confirmed_answer_is_fresh_again(host: Any) -> None:
    first = ask(host, f"{SHOP}/products/brief-confirmed")
    time.sleep(TOO_OLD_SECONDS)
    second = ask(host, f"{SHOP}/products/brief-confirmed")
    assert second.headers["x-cache"] == "HIT"
    assert reached_router(second) == reached_router(first)
    assert "upstream" in second.headers["server-timing"]


@pytest.mark.parametrize("failure", ["500", "502", "503", "504"])
def test_an_old_answer_is_shown_while_the_origin_fails(host: Any, mode: Any, failure: str) -> None:
    first = ask(host, f"{SHOP}/products/brief-{failure}")
    time.sleep(TOO_OLD_SECONDS)
    mode(failure)
    for _ in range(3):
        answer = ask(host, f"{SHOP}/products/brief-{failure}")
        assert (answer.status, answer.headers["x-cache"]) == (200, "STALE")
        assert reached_router(answer) == reached_router(first)


@pytest.mark.parametrize("status", ["404", "403", "429"])
def test_an_answer_that_is_no_failure_replaces_the_old_one(host: Any, mode: Any, status: str) -> None:
    ask(host, f"{SHOP}/products/brief-{status}")
    time.sleep(TOO_OLD_SECONDS)
    mode(status)
    assert ask(host, f"{SHOP}/products/brief-{status}").status == int(status)


def test_readers_do_not_wait_for_a_dead_origin(host: Any, mode: Any) -> None:
    first = [ask(host, f"{SHOP}/products/brief-dead{number}") for number in range(4)]
    time.sleep(TOO_OLD_SECONDS)
    mode("slow")
    times = []
    for number in (0, 1, 2, 3, 0, 1, 2, 3):
        started = time.monotonic()
        answer = ask(host, f"{SHOP}/products/brief-dead{number}")
        times.append(time.monotonic() - started)
        assert (answer.status, answer.headers["x-cache"]) == (200, "STALE")
        assert reached_router(answer) == reached_router(first[number])
    # One finds out, after nginx_cache_wait_s; a second one may, after nginx_cache_retry_s.
    assert max(times) < 4
    assert sorted(times)[-3] < 0.5


def test_kept_answers_survive_the_router(host: Any, sudo: Any) -> None:
    first = ask(host, f"{SHOP}/products/brief-router")
    sudo.check_output("systemctl stop router")
    try:
        time.sleep(TOO_OLD_SECONDS)
        answer = ask(host, f"{SHOP}/products/brief-router")
        missing = ask(host, f"{SHOP}/products/brief-router-missing")
    finally:
        sudo.check_output("systemctl start router")
        time.sleep(WELL_SECONDS)
    assert (answer.status, answer.headers["x-cache"]) == (200, "STALE")
    assert reached_router(answer) == reached_router(first)
    assert (missing.status, missing.headers["retry-after"]) == (503, "1")


def test_what_is_not_kept_asks_an_origin_that_failed_all_the_same(host: Any, mode: Any) -> None:
    ask(host, f"{SHOP}/products/brief-open")
    time.sleep(TOO_OLD_SECONDS)
    mode("503")
    assert ask(host, f"{SHOP}/products/brief-open").headers["x-cache"] == "STALE"
    mode("well")
    answer = ask(host, f"{SHOP}/products/fresh-open")
    assert (answer.status, answer.headers["x-cache"]) == (200, "BYPASS")
    assert ask(host, f"{SHOP}/products/fresh-open").headers["x-cache"] == "HIT"


@pytest.mark.parametrize(("accepts", "encoding"), [("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)])
def test_public_answers_are_compressed(host: Any, accepts: str, encoding: str | None) -> None:
    options = ["--header", f"'Accept-Encoding: {accepts}'", "--output /dev/null --dump-header -"]
    answer = ask(host, f"{SHOP}/products/fresh-large", *options)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"


def test_answers_that_may_hold_secrets_are_not_compressed(host: Any) -> None:
    for method in (f"{SHOP}/users/x-large", f"{SHOP}/products/x-large' --request 'POST"):
        answer = ask(host, method, "--header 'Accept-Encoding: br, gzip'")
        assert "content-encoding" not in answer.headers


def test_purging(sudo: Any) -> None:
    kept = [f"/products/fresh-{name}" for name in ("stays", "goes", "goes?page=2", "goes/below")]
    before = {name: reached_router(ask(sudo, f"{SHOP}{name}")) for name in kept}
    purge = "folder=/var/cache/nginx paths=/products/fresh-goes"
    assert sudo.ansible("tandem.platform.cache_purge", purge, check=True)["purged"] == 3
    assert sudo.ansible("tandem.platform.cache_purge", purge, check=False)["purged"] == 3
    after = {name: reached_router(ask(sudo, f"{SHOP}{name}")) for name in kept}
    assert [name for name in kept if after[name] != before[name]] == kept[1:]
    assert all(ask(sudo, f"{SHOP}{name}").headers["x-cache"] == "HIT" for name in kept)


# Headers of every answer


def test_times_are_told_once(host: Any) -> None:
    for path in ("/timing", "/products/timing"):
        lines = [
            line.partition(": ")[2].strip()
            for line in host.check_output(
                f"curl -s -o /dev/null -D - --cacert {AUTHORITY} --resolve {NAME}:443:{ADDRESS} {SHOP}{path}"
            ).splitlines()
            if line.lower().startswith("server-timing")
        ]
        (line,) = lines
        parts = line.split(", ")
        assert parts[0].startswith("edge;dur=")
        assert parts[-1] == "db;dur=7"
        assert any(part.startswith("upstream;dur=") for part in parts)
    kept = ask(host, f"{SHOP}/products/timing").headers["server-timing"]
    assert kept.endswith(", cache;desc=HIT")


# Static files


def test_files_for_browsers(host: Any) -> None:
    for accepts, encoding in (("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)):
        options = f"--header 'Accept-Encoding: {accepts}' --output /dev/null --dump-header -"
        answer = ask(host, f"{SHOP}/static/shop/app.e68904c2.js", options)
        assert answer.status == 200
        assert answer.headers.get("content-encoding") == encoding
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["content-type"].endswith("javascript")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path", ["shop/app.00000000.js", "shop/manifest.json", "shop/", "shop", "", "other/app.e68904c2.js"]
)
def test_unknown_files_ask_no_service(host: Any, path: str) -> None:
    answer = ask(host, f"{SHOP}/static/{path}")
    assert answer.status == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["title"] == "Not Found"
    assert "upstream" not in answer.headers["server-timing"]


def test_files_can_only_be_read(host: Any) -> None:
    answer = ask(host, f"{SHOP}/static/shop/app.e68904c2.js", "--data a=b")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


# Errors and maintenance


@pytest.mark.parametrize(("language", "title"), [("", "Not found"), (RUSSIAN, "найдено")])
def test_browsers_get_pages_in_their_language(host: Any, language: str, title: str) -> None:
    answer = ask(host, f"{SHOP}/static/nothing", BROWSER, language)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"{title}</h1>" in answer.body
    assert f'<html lang="{"ru" if language else "en"}">' in answer.body
    assert answer.headers["x-request-id"] in answer.body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(("language", "says"), [("", "en"), (RUSSIAN, "ru")])
@pytest.mark.parametrize("options", ["--request GET", "--data a=b"])
def test_browsers_get_pages_for_the_routers_errors(
    host: Any, status: int, language: str, says: str, options: str
) -> None:
    answer = ask(host, f"{SHOP}/error/{status}", BROWSER, language, options)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f'<html lang="{says}">' in answer.body
    assert answer.headers["x-request-id"] in answer.body
    told = {
        "cache-control": "no-store",
        "content-language": says,
        "vary": "Accept, Accept-Language",
        "www-authenticate": "APIKey",
        "ratelimit-limit": "20",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "7",
    }
    assert {name: answer.headers.get(name) for name in told} == told
    assert answer.headers.get("retry-after") == {429: "7", 503: "1"}.get(status)


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_programs_get_the_routers_errors_as_they_are(host: Any, status: int) -> None:
    answer = ask(host, f"{SHOP}/error/{status}")
    assert (answer.status, answer.json["path"]) == (status, f"/error/{status}")
    assert (answer.headers["retry-after"], answer.headers["ratelimit-limit"]) == ("7", "20")
    assert "content-language" not in answer.headers


@pytest.mark.parametrize("status", [401, 404, 429, 502, 503])
def test_browsers_get_the_services_errors_as_they_are(host: Any, status: int) -> None:
    answer = ask(host, f"{SHOP}/status/{status}", BROWSER)
    assert (answer.status, answer.json["path"]) == (status, f"/status/{status}")


def test_what_users_say_about_pages_is_replaced(host: Any) -> None:
    answer = ask(host, f"{SHOP}/", "--header 'X-Tandem-Page: 1'")
    assert "x-tandem-page" not in {name.lower() for name in answer.json["headers"]}


@pytest.mark.parametrize("status", ["404", "503"])
def test_cached_paths_have_pages_for_the_routers_errors(host: Any, mode: Any, status: str) -> None:
    mode(f"error-{status}")
    for _ in range(2):
        answer = ask(host, f"{SHOP}/products/fresh-page-{status}", BROWSER, RUSSIAN)
        assert (answer.status, answer.headers["content-language"]) == (int(status), "ru")
        assert '<html lang="ru">' in answer.body
    mode("well")
    answer = ask(host, f"{SHOP}/products/fresh-page-{status}", BROWSER)
    assert (answer.status, "number" in answer.json) == (200, True)


@pytest.mark.parametrize("name", ["brief", "swr"])
def test_an_old_answer_is_shown_to_browsers_while_the_router_fails(host: Any, mode: Any, name: str) -> None:
    first = ask(host, f"{SHOP}/products/{name}-browser", BROWSER)
    time.sleep(TOO_OLD_SECONDS)
    mode("error-503")
    for _ in range(3):
        answer = ask(host, f"{SHOP}/products/{name}-browser", BROWSER)
        assert (answer.status, answer.headers["x-cache"] in {"STALE", "UPDATING"}) == (200, True)
        assert reached_router(answer) == reached_router(first)


def test_a_page_does_not_come_up_in_the_background(host: Any, mode: Any) -> None:
    first = ask(host, f"{SHOP}/products/swr-404", BROWSER)
    time.sleep(TOO_OLD_SECONDS)
    mode("error-404")
    for _ in range(3):
        answer = ask(host, f"{SHOP}/products/swr-404", BROWSER)
        assert (answer.status, reached_router(answer)) == (200, reached_router(first))
    mode("well")
    time.sleep(0.5)
    assert ask(host, f"{SHOP}/products/swr-404", BROWSER).status == 200


def test_requests_that_are_no_http_get_an_answer(host: Any) -> None:
    long = ask(host, f"{SHOP}/", "--http1.1", f"--header 'X-Long: {'a' * 9000}'")
    assert (long.status, long.json["status"]) == (431, 431)
    plain = ask(host, f"http://{NAME}:443/", f"--connect-to {NAME}:443:{ADDRESS}:443")
    assert (plain.status, plain.json["status"]) == (400, 400)


def test_in_maintenance_services_are_not_asked(maintenance: Any) -> None:
    for path in ("/users/me", "/products/fresh-never-seen"):
        answer = ask(maintenance, f"{SHOP}{path}")
        assert (answer.status, answer.headers["retry-after"]) == (503, "120")
        assert "Maintenance" in answer.json["detail"]
    assert ask(maintenance, f"{SHOP}/products/", "--data a=b").status == 503
    page = ask(maintenance, f"{SHOP}/", BROWSER, RUSSIAN)
    assert (page.status, "Ведутся технические работы" in page.body) == (503, True)
    assert ask(maintenance, f"{SHOP}/.well-known/tandem/edge").status == 200


def test_in_maintenance_what_is_here_is_served(sudo: Any, maintenance: Any) -> None:
    sudo.check_output(f"rm {MAINTENANCE}")
    first = ask(sudo, f"{SHOP}/products/brief-maintained")
    sudo.check_output(f"touch {MAINTENANCE}")
    time.sleep(TOO_OLD_SECONDS)
    answer = ask(sudo, f"{SHOP}/products/brief-maintained")
    assert (answer.status, answer.headers["x-cache"]) == (200, "STALE")
    assert reached_router(answer) == reached_router(first)
    assert ask(sudo, f"{SHOP}/static/shop/app.e68904c2.js").status == 200
