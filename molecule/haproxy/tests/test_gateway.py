"""What the gateway promises: tokens, limits, quotas, and who says who asks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.haproxy import DOOR, LISTENER, ROUTER, TLS, Answer, as_caller, ask, logged, runtime
from tests.support.scenario import play
from tests.support.tokens import SUBJECT, Key, b64, claims_of, mac, part

testinfra_hosts = ["ansible://haproxy"]

SECRETS = Path(__file__).resolve().parents[2] / "inventory" / ".secrets"
GATEWAY = "/etc/haproxy/gateway"
PATH = f"{ROUTER}/users/1"
ADDRESS_LIMIT, ADDRESS_PERIOD = 100, 4
SUBJECT_LIMIT = 50


@pytest.fixture(scope="module")
def key() -> Key:
    """The key that signs."""
    return Key.read(SECRETS / "services/users/jwt_key")


@pytest.fixture(scope="module")
def next_key() -> Key:
    """Its successor, known already. Its id begins with a dash, which HAProxy must not take for an option."""
    key = Key.read(SECRETS / "services/users/jwt_dashed")
    assert key.id.startswith("-")
    return key


def api_key(client: str) -> str:
    return f"--header 'X-API-Key: {(SECRETS / 'gateway/clients' / client).read_text().strip()}'"


def bearer(token: str) -> str:
    return f"--header 'Authorization: Bearer {token}'"


def said_to_the_service(answer: Answer) -> dict[str, str]:
    """Return what the platform told the service of the caller."""
    assert answer.status == 200, answer.body
    seen = {name.lower(): value for name, value in answer.json["headers"].items()}
    return {name: value for name, value in seen.items() if "tandem" in name or "api" in name}


# Tokens


def test_both_keys_of_a_change_count(host: Any, key: Key, next_key: Key) -> None:
    for one in (key, next_key):
        answer = ask(host, PATH, bearer(one.token()))
        assert said_to_the_service(answer) == {"x-tandem-subject": SUBJECT, "x-tandem-key-id": one.id}


def test_without_a_token_nobody_is_named(host: Any) -> None:
    assert said_to_the_service(ask(host, PATH)) == {}
    assert said_to_the_service(ask(host, PATH, "--user a:b")) == {}


def test_clocks_may_differ_a_little(host: Any, key: Key) -> None:
    now = int(time.time())
    for claims in ({"exp": now - 2}, {"nbf": now + 2}):
        assert ask(host, PATH, bearer(key.token(**claims))).status == 200, claims


def forged(key: Key) -> str:
    """Somebody else's subject under the signature of a good token."""
    return f"{key.header()}.{claims_of(sub='somebody-else')}.{key.token().split('.')[2]}"


def of_a_stranger(key: Key) -> str:
    """Signed by a stranger under the id of our key."""
    return Key(ec.generate_private_key(ec.SECP256R1())).token({"kid": key.id})


def unsigned(key: Key) -> str:
    return f"{key.header(alg='none')}.{claims_of()}."


def unsigned_with_a_signature(key: Key) -> str:
    return key.token({"alg": "none"})


def confused(key: Key) -> str:
    """HS256, with the public key as the secret, which everybody may know."""
    text = f"{key.header(alg='HS256')}.{claims_of()}"
    return f"{text}.{mac(text, key.public_pem)}"


def confused_under_our_algorithm(key: Key) -> str:
    text = f"{key.header()}.{claims_of()}"
    return f"{text}.{mac(text, key.public_pem)}"


def zeros(key: Key) -> str:
    """A signature of zeros, which a careless verification takes for every text's."""
    return f"{key.header()}.{claims_of()}.{b64(bytes(64))}"


BAD: dict[str, tuple[Callable[[Key], str], str]] = {
    "forged": (forged, "not valid"),
    "wrongly signed": (of_a_stranger, "not valid"),
    "alg none": (unsigned, "not valid"),
    "alg none with a signature": (unsigned_with_a_signature, "not valid"),
    "HS256 with the public key": (confused, "not valid"),
    "an HMAC as ES256": (confused_under_our_algorithm, "not valid"),
    "ES384": (lambda key: key.token({"alg": "ES384"}), "not valid"),
    "zeros": (zeros, "not valid"),
    "no signature": (lambda key: f"{key.header()}.{claims_of()}", "not valid"),
    "empty signature": (lambda key: f"{key.header()}.{claims_of()}.", "not valid"),
    "unknown key": (lambda key: key.token({"kid": "unknown"}), "unknown key"),
    "no key id": (lambda key: key.token({"kid": None}), "unknown key"),
    "path for a key id": (lambda key: key.token({"kid": f"../gateway/{key.id}"}), "unknown key"),
    "no algorithm": (lambda key: key.token({"alg": None}), "not valid"),
    "expired": (lambda key: key.token(exp=int(time.time()) - 10), "has expired"),
    "never expires": (lambda key: key.token(exp=None), "not valid"),
    "not yet valid": (lambda key: key.token(nbf=int(time.time()) + 30), "not valid"),
    "wrong audience": (lambda key: key.token(aud="another-shop"), "not valid"),
    "no audience": (lambda key: key.token(aud=None), "not valid"),
    "wrong issuer": (lambda key: key.token(iss="somebody"), "not valid"),
    "no subject": (lambda key: key.token(sub=None), "not valid"),
    "a subject that is a header": (lambda key: key.token(sub="a\r\nX-Evil: 1"), "not valid"),
    "not a token": (lambda key: "abc", "not valid"),
    "claims without a header": (lambda key: f".{part({'sub': 'x'})}.", "not valid"),
    "too long": (lambda key: "a" * 4097, "too long"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_tokens_stop_at_the_edge(sudo: Any, key: Key, name: str) -> None:
    make, why = BAD[name]
    answer = ask(sudo, PATH, bearer(make(key)), f"--header 'X-Request-Id: bad-{name.replace(' ', '-')}'")
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')
    assert why in answer.headers["www-authenticate"]
    # As the services' own (apps/common, problems.py and api.py).
    assert why in answer.json["detail"]
    assert answer.json == {
        "detail": answer.json["detail"],
        "type": "urn:tandem:problem:unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "request_id": f"bad-{name.replace(' ', '-')}",
    }


def test_no_service_is_asked_about_a_bad_token(sudo: Any, key: Key) -> None:
    for request, token in (("seen-good", key.token()), ("seen-bad", forged(key))):
        # The door logs what fails only, so the service is asked to fail.
        ask(sudo, f"{PATH}?status=503", bearer(token), f"--header 'X-Request-Id: {request}'")
    entries = logged(sudo, '"seen-', 3)
    found = [(entry["request_id"], entry["frontend"], entry["subject"]) for entry in entries]
    assert sorted(found) == [
        ("seen-bad", "router", ""),
        ("seen-good", "door", SUBJECT),
        ("seen-good", "router", SUBJECT),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        ["Bearer {good}", "Bearer {bad}"],
        ["Bearer {bad}", "Bearer {good}"],
        ["Basic YTpi", "Bearer {good}"],
        ["Bearer {good}, Bearer {bad}"],
        ["Bearer {good} {bad}"],
        ["Bearer  {good}"],
        ["bearer\t{good}"],
        ["Bearer"],
    ],
)
def test_a_second_token_can_not_hide_behind_a_good_one(host: Any, key: Key, headers: list[str]) -> None:
    values = [value.format(good=key.token(), bad=forged(key)) for value in headers]
    assert ask(host, PATH, *(f"--header 'Authorization: {value}'" for value in values)).status == 401


def test_the_scheme_has_no_case(host: Any, key: Key) -> None:
    good = ask(host, PATH, f"--header 'authorization: bEaReR {key.token()}'")
    assert said_to_the_service(good)["x-tandem-subject"] == SUBJECT
    assert ask(host, PATH, f"--header 'authorization: bEaReR {forged(key)}'").status == 401


def test_the_own_ingress_checks_the_same(sudo: Any, key: Key) -> None:
    name = "shop.tandem.test"
    known = (f"--cacert {TLS}/ca.pem", f"--resolve {name}:443:127.0.0.9")
    url = f"https://{name}/users/reports/1"
    good = ask(sudo, url, *known, bearer(key.token()), "--header 'X-Tandem-Subject: me'")
    assert said_to_the_service(good)["x-tandem-subject"] == SUBJECT
    bad = ask(sudo, url, *known, bearer(forged(key)))
    assert (bad.status, bad.headers["x-request-id"]) == (401, bad.json["request_id"])
    assert ask(sudo, url, *known, api_key("partner-b")).headers["ratelimit-limit"] == "5000"


# Who says who asks

LIES = [
    *("X-Tandem-Subject: me", "X_Tandem_Subject: me", "X-Tandem_Subject: me", "x-tandem-key-id: me"),
    *("X-Tandem-Client: partner-b", "X_Tandem_Client: partner-b", "X-Tandem-Anything: me"),
]


def lies() -> tuple[str, ...]:
    return tuple(f"--header '{lie}'" for lie in LIES)


def test_users_can_not_say_who_they_are(host: Any, key: Key) -> None:
    assert said_to_the_service(ask(host, PATH, *lies())) == {}
    answer = ask(host, PATH, *lies(), bearer(key.token()))
    assert said_to_the_service(answer) == {"x-tandem-subject": SUBJECT, "x-tandem-key-id": key.id}


def test_services_of_this_host_can_not_either(host: Any) -> None:
    assert said_to_the_service(ask(host, f"{LISTENER}/users/1", *lies())) == {}


def test_the_door_believes_edges_only(sudo: Any) -> None:
    service = "--header 'X-Tandem-Service: tokens'"
    edge = ask(sudo, f"{DOOR}/x", *as_caller("m-haproxy"), service, *lies())
    assert said_to_the_service(edge) == {
        "x-tandem-subject": "me",
        "x-tandem-key-id": "me",
        "x-tandem-client": "partner-b",
    }
    other = ask(sudo, f"{DOOR}/x", *as_caller("m-other"), service, *lies())
    assert said_to_the_service(other) == {}


# Quotas and limits


def burst(host: Any, count: int, *options: str) -> list[int]:
    """Return the statuses of that many requests, made one after another on one connection.

    The router itself answers those that are within the limits, by 404, so that they are quick.
    """
    shown = "--silent --output /dev/null --write-out '%{http_code} '"
    command = f"curl {shown} {' '.join(options)} '{ROUTER}/nowhere?n=[1-{count}]'"
    return [int(word) for word in host.check_output(command).split()]


def fresh_window(host: Any, *options: str) -> None:
    """Wait until the caller's next window has just begun."""
    answer = ask(host, PATH, *options)
    time.sleep(int(answer.headers["ratelimit-reset"]) + 0.1)


def limits_of(answer: Answer) -> tuple[int, ...]:
    names = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
    return tuple(int(answer.headers[name]) for name in names)


def test_a_clients_quota_is_exact_and_told(host: Any) -> None:
    key_a = api_key("partner-a")
    fresh_window(host, key_a)
    first = ask(host, PATH, key_a)
    assert said_to_the_service(first) == {"x-tandem-client": "partner-a"}
    limit, remaining, reset = limits_of(first)
    assert (limit, remaining) == (20, 19)
    assert 8 <= reset <= 10
    assert burst(host, 19, key_a) == [404] * 19
    refused = ask(host, PATH, key_a)
    assert refused.status == 429
    limit, remaining, reset = limits_of(refused)
    assert (limit, remaining) == (20, 0)
    assert 1 <= reset <= 10
    assert int(refused.headers["retry-after"]) == reset
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["cache-control"] == "no-store"
    assert refused.json["type"] == "urn:tandem:problem:too-many-requests"
    assert refused.json["status"] == 429
    assert len(refused.json["request_id"]) == 36
    page = ask(host, PATH, key_a, "--header 'X-Tandem-Page: 1'")
    assert (page.status, page.headers["x-accel-redirect"]) == (429, "@error_429")
    assert {"retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(page.headers)
    time.sleep(reset)
    assert ask(host, PATH, key_a).status == 200


def test_others_have_no_limit_headers(host: Any) -> None:
    assert not [name for name in ask(host, PATH).headers if name.startswith("ratelimit")]


def test_an_unknown_key_is_refused(host: Any) -> None:
    for options in (("--header 'X-API-Key: guess'",), ("--header 'X-API-Key;'",)):
        answer = ask(host, PATH, *options)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "APIKey")
        assert answer.json["detail"] == "Refused: the API key is not known."


def test_a_quota_replaces_the_limit_per_address(host: Any) -> None:
    assert set(burst(host, 3 * ADDRESS_LIMIT, api_key("partner-b"))) == {404}


def exhausted(host: Any, *options: str) -> Answer:
    """Use up the limit of an address in a window that lasts for some time yet, and return the refusal."""
    return refused_after(lambda: burst(host, 2 * ADDRESS_LIMIT + 2, *options), host, *options)


def refused_after(use_up: Callable[[], Any], host: Any, *options: str) -> Answer:
    """Use up a limit until its window lasts for some time yet, and return the refusal of one more request."""
    for _ in range(5):
        use_up()
        answer = ask(host, PATH, *options)
        if answer.status == 429 and int(answer.headers["ratelimit-reset"]) >= 2:
            return answer
        # The next try begins with a window, or it would end where this one did.
        time.sleep(int(answer.headers.get("ratelimit-reset", 1)))
    raise AssertionError(f"not refused: {answer.status} {answer.headers}")


def test_the_limit_per_address(host: Any) -> None:
    one = "--header 'X-Forwarded-For: 192.0.2.7'"
    other = "--header 'X-Forwarded-For: 192.0.2.8'"
    refused = exhausted(host, one)
    assert refused.headers["ratelimit-limit"] == str(ADDRESS_LIMIT)
    assert 1 <= int(refused.headers["retry-after"]) <= ADDRESS_PERIOD
    assert ask(host, PATH, other).status == 200
    time.sleep(int(refused.headers["retry-after"]))
    statuses = burst(host, ADDRESS_LIMIT + 10, one)
    assert statuses == [404] * ADDRESS_LIMIT + [429] * 10


def test_ipv6_is_counted_by_network(host: Any) -> None:
    refused = exhausted(host, "--header 'X-Forwarded-For: 2001:db8:1:2::1'")
    assert refused.headers["ratelimit-limit"] == str(ADDRESS_LIMIT)
    assert ask(host, PATH, "--header 'X-Forwarded-For: 2001:db8:1:2:ffff::9'").status == 429
    assert ask(host, PATH, "--header 'X-Forwarded-For: 2001:db8:1:3::1'").status == 200


def test_guessing_keys_is_limited_too(host: Any) -> None:
    statuses = burst(
        host, 2 * ADDRESS_LIMIT + 2, "--header 'X-Forwarded-For: 192.0.2.9'", "--header 'X-API-Key: guess'"
    )
    assert set(statuses) == {401, 429}


def test_the_limit_per_subject_holds_across_addresses(host: Any, key: Key) -> None:
    token = bearer(key.token(sub="busy"))

    def from_three_addresses() -> None:
        for number in (1, 2, 3):
            burst(host, SUBJECT_LIMIT, token, f"--header 'X-Forwarded-For: 198.51.100.{number}'")

    refused = refused_after(from_three_addresses, host, token, "--header 'X-Forwarded-For: 198.51.100.4'")
    assert refused.headers["ratelimit-limit"] == str(SUBJECT_LIMIT)
    other = bearer(key.token(sub="quiet"))
    assert ask(host, PATH, other, "--header 'X-Forwarded-For: 198.51.100.4'").status == 200


def test_refusals_are_counted_and_not_logged(sudo: Any) -> None:
    def denied() -> int:
        text = ask(sudo, "http://127.0.0.1:8405/metrics").body
        start = 'haproxy_frontend_requests_denied_total{proxy="router"} '
        return int(next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start))

    def refused(cause: str) -> int:
        rows = runtime(sudo, "show table gateway_refused").splitlines()
        row = next((row for row in rows if f" key={cause} " in row), "gpc0=0")
        return int(row.partition("gpc0=")[2])

    names = "--header 'X-Forwarded-For: 192.0.2.10'", "--header 'X-Request-Id: counted'"
    before = denied(), refused("address"), refused("client/partner-a")
    statuses = burst(sudo, 2 * ADDRESS_LIMIT + 20, *names)
    statuses_of_a = burst(sudo, 45, api_key("partner-a"), names[1])
    assert denied() - before[0] == (statuses + statuses_of_a).count(429)
    assert refused("address") - before[1] == statuses.count(429) >= 20
    assert refused("client/partner-a") - before[2] == statuses_of_a.count(429) >= 5
    passed = (statuses + statuses_of_a).count(404)
    routed = [entry["status"] for entry in logged(sudo, '"counted"', passed) if entry["frontend"] == "router"]
    assert set(routed) == {404}
    assert len(routed) == passed


HAMMER = """
import http.client, statistics, sys, threading, time
key_a, key_b = sys.stdin.read().split()
stop, refused, served = time.monotonic() + 7, [], []

def ask(connection, key, path):
    connection.request("GET", path, headers={"X-API-Key": key})
    answer = connection.getresponse()
    answer.read()
    return answer.status

def hammer():
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    while time.monotonic() < stop:
        # What is let through keeps a thread of the service busy for long.
        (refused if ask(connection, key_a, "/users/1?seconds=0.4") == 429 else served).append(1)
        time.sleep(0.005)

def latencies(seconds):
    connection, found, end = http.client.HTTPConnection("127.0.0.1", 8080), [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        assert ask(connection, key_b, "/users/1") == 200
        found.append((time.monotonic() - start) * 1000)
        time.sleep(0.01)
    return sorted(found)

calm = latencies(2)
threads = [threading.Thread(target=hammer) for _ in range(4)]
for thread in threads:
    thread.start()
busy = latencies(4)
for thread in threads:
    thread.join()
print(len(served), len(refused), statistics.median(calm), statistics.median(busy), busy[int(len(busy) * 0.95)])
"""


def test_a_client_over_its_quota_does_not_slow_down_another(host: Any, capsys: Any) -> None:
    keys = " ".join((SECRETS / "gateway/clients" / name).read_text() for name in ("partner-a", "partner-b"))
    host.run("cat > /tmp/hammer.py <<'END'\n" + HAMMER + "END")
    words = host.check_output(f"echo '{keys}' | python3 /tmp/hammer.py").split()
    served, refused = int(words[0]), int(words[1])
    calm, busy, late = (float(word) for word in words[2:])
    with capsys.disabled():
        print(f"\nA: {served} served, {refused} refused")
        print(f"B: median {calm:.1f} ms alone, {busy:.1f} ms beside A, then p95 {late:.1f} ms")
    assert served <= 40  # two windows at most
    assert refused > 200
    assert busy < 3 * calm + 5


# Files


def test_what_lies_on_the_host(sudo: Any, key: Key, next_key: Key) -> None:
    found = sudo.check_output(f"stat -c '%n %U %a' {GATEWAY} {GATEWAY}/*").splitlines()
    assert sorted(found) == sorted(
        [
            f"{GATEWAY} root 700",
            f"{GATEWAY}/clients.map root 600",
            *(f"{GATEWAY}/{one.id}.pem root 644" for one in (key, next_key)),
        ]
    )
    assert sudo.file(f"{GATEWAY}/{key.id}.pem").content == key.public_pem
    hashes = sudo.file(f"{GATEWAY}/clients.map").content_string
    for client in ("partner-a", "partner-b"):
        secret = (SECRETS / "gateway/clients" / client).read_text().strip()
        assert hashlib.sha256(secret.encode()).hexdigest().upper() in hashes
        assert secret not in hashes
        assert sudo.run(f"grep -rq {secret} /etc").rc == 1
    assert sudo.run("grep -rlq 'PRIVATE KEY' /etc/haproxy").rc == 1


# A key is taken away


converge = partial(play, Path(__file__).resolve().parents[1] / "converge.yml")
WITHOUT_NEXT = {"molecule_token_secrets": ["services/users/jwt_key"]}


def test_a_key_that_is_taken_away_no_longer_counts(sudo: Any, key: Key, next_key: Key) -> None:
    file = sudo.file(f"{GATEWAY}/{next_key.id}.pem")
    converge(**WITHOUT_NEXT)
    try:
        assert not file.exists
        assert ask(sudo, PATH, bearer(key.token())).status == 200
        assert "unknown key" in ask(sudo, PATH, bearer(next_key.token())).json["detail"]
    finally:
        converge()
    assert file.exists
    assert ask(sudo, PATH, bearer(next_key.token())).status == 200


def test_the_next_key_counts_before_it_signs(sudo: Any, key: Key, next_key: Key) -> None:
    """As between the two steps of rotate_signing_key.yml: one secret, two keys."""
    following = SECRETS / "services/users/jwt_key.next"
    following.write_text((SECRETS / "services/users/jwt_dashed").read_text())
    try:
        converge(**WITHOUT_NEXT)
        for one in (key, next_key):
            assert ask(sudo, PATH, bearer(one.token())).status == 200
    finally:
        following.unlink()
        converge()


# What it costs

COST = """
import http.client, os, sys
tokens = sys.stdin.read().split()
worker = os.popen("pgrep -nx haproxy").read().strip()  # the newest: older ones end some time after a reload

def used():
    fields = open(f"/proc/{worker}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def cost(with_tokens, count=8000):
    connection, before = http.client.HTTPConnection("127.0.0.1", 8080), used()
    for number in range(count):
        # Answered by the router itself. Addresses and subjects change, so that no limit is reached.
        headers = {"X-Forwarded-For": f"10.0.{number % 250}.1"}
        if with_tokens:
            headers["Authorization"] = f"Bearer {tokens[number % len(tokens)]}"
        connection.request("GET", "/nowhere", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404, answer.status
    return (used() - before) / count * 1e6

cost(True, 500)
print(*(cost(with_tokens) for with_tokens in (False, True, False, True)))
"""


def test_what_a_verification_costs(sudo: Any, key: Key, capsys: Any) -> None:
    tokens = "\n".join(key.token(sub=f"subject-{number}") for number in range(300))
    sudo.run("cat > /tmp/cost.py <<'END'\n" + COST + "END")
    sudo.run("cat > /tmp/tokens <<'END'\n" + tokens + "\nEND")
    words = sudo.check_output("python3 /tmp/cost.py < /tmp/tokens").split()
    without, with_token = (min(float(word) for word in words[start::2]) for start in (0, 1))
    speed = sudo.run("openssl speed -seconds 2 ecdsap256").stdout.splitlines()
    with capsys.disabled():
        print(f"\nHAProxy's CPU per request: {without:.0f} us without a token, {with_token:.0f} us with one")
        print("\n".join(line for line in speed if "ecdsa" in line or "sign" in line))
    assert with_token - without < 2000
