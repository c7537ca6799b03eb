"""What the edges refuse before a service sees it: bad tokens, and more than was agreed."""

import statistics
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.playbook import ROOT
from tests.support.shop import logged_in
from tests.support.tokens import Key

SECRETS = ROOT / "inventories/lab/.secrets"
QUOTA = 20  # of partner-a, in ten seconds on each edge (inventories/lab)
UNCACHED = "/users/.well-known/jwks.json"


@pytest.fixture
def edge(lab):
    return lab.env()["hosts"]["spb-edge1"]["address"]


@pytest.fixture(scope="module")
def shops_key():
    return Key.read(SECRETS / "services/users/jwt_key")


def api_key(client):
    return (SECRETS / "gateway/clients" / client).read_text().strip()


def asked_services(lab, request_id):
    """Whether any service has seen a request."""
    return any(
        request_id in lab.run(host, ["journalctl", "--namespace=*", "-o", "cat", "--since", "-2min"]).stdout
        for host in ("msk-app1", "msk-app2", "spb-app1")
    )


def test_bad_tokens_stop_at_the_edge(lab, browser, edge, shops_key):
    stranger = Key(ec.generate_private_key(ec.SECP256R1()))
    good = shops_key.token()
    bad = {
        "expired": shops_key.token(exp=int(time.time()) - 60),
        "signed with another key": stranger.token(),
        "signed with another key under our key id": stranger.token({"kid": shops_key.id}),
        "for somebody else": shops_key.token(aud="another-shop"),
        "unsigned": ".".join([shops_key.header(alg="none"), good.split(".")[1], ""]),
        "changed": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
    }
    shop = browser(edge)
    for why, token in bad.items():
        answer = shop.ask("GET", "/orders", Authorization=f"Bearer {token}")
        assert answer.status == 401, (why, answer)
        assert "invalid_token" in answer.headers["www-authenticate"], why
        assert not asked_services(lab, answer.headers["x-request-id"]), why
    logged_in(shop)
    answer = shop.ask("GET", "/orders")
    assert answer.status == 200, answer
    end = time.monotonic() + 10  # journald may be late
    while not asked_services(lab, answer.headers["x-request-id"]):
        assert time.monotonic() < end, "the log must show what reached a service"


def test_browsers_see_refusals_as_pages(browser, edge):
    shop = browser(edge)
    for path in ("/orders", "/.well-known/tandem/nothing"):
        answer = shop.ask("GET", path, Authorization="Bearer a.b.c", Accept="text/html", Accept_Language="ru")
        assert answer.status == 401, answer
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-language"] == "ru"
        assert "invalid_token" in answer.headers["www-authenticate"]


def test_a_client_over_its_quota_does_not_slow_another_one(browser, edge):
    first, second = api_key("partner-a"), api_key("partner-b")
    shop = browser(edge)

    def milliseconds(answer):
        return float(answer.headers["server-timing"].split("edge;dur=")[1].split(",")[0])

    calm = [milliseconds(shop.ask("GET", UNCACHED, X_API_Key=second)) for _ in range(20)]
    refused, beside = [], []
    for _ in range(QUOTA * 2):
        answer = shop.ask("GET", UNCACHED, X_API_Key=first)
        if answer.status == 429:
            refused.append(answer)
            beside.append(milliseconds(shop.ask("GET", UNCACHED, X_API_Key=second)))
    assert refused, "partner-a was never refused"
    headers = refused[0].headers
    assert int(headers["ratelimit-limit"]) == QUOTA
    assert headers["ratelimit-remaining"] == "0"
    assert 1 <= int(headers["retry-after"]) <= 10
    print(
        f"partner-b: median {statistics.median(calm)} ms alone, {statistics.median(beside)} ms beside refused partner-a"
    )
    assert shop.ask("GET", UNCACHED, X_API_Key=second).status == 200
    assert shop.ask("GET", UNCACHED, X_API_Key="made up").status == 401
