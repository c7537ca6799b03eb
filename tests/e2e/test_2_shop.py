"""What a customer does, through each edge."""

import uuid

import pytest

from lab import Lab
from tests.support.shop import PASSWORD, logged_in

EDGES = ["msk-edge1", "msk-edge2", "spb-edge1"]


@pytest.fixture(params=EDGES)
def shop(request, lab, browser):
    return browser(lab.env()["hosts"][request.param]["address"])


def test_order_through_each_edge(shop):
    email = logged_in(shop)
    assert shop.ask("GET", "/users/me").json()["email"] == email
    catalogue = shop.ask("GET", "/products/?size=3").json()
    product = catalogue["items"][0]
    assert shop.ask("POST", "/cart", {"product_id": product["id"], "quantity": 2}).status in (200, 201)
    key = uuid.uuid4().hex
    order = shop.ask("POST", "/orders/checkout", Idempotency_Key=key)
    assert order.status == 201, order
    again = shop.ask("POST", "/orders/checkout", Idempotency_Key=key)
    assert (again.status, again.json()) == (201, order.json()), "the same key must get the same answer"
    listed = shop.ask("GET", "/orders").json()
    assert [o["id"] for o in listed["items"]] == [order.json()["id"]]


def test_wrong_input_is_a_problem_with_the_field_named(shop):
    answer = shop.ask(
        "POST", "/users/register", {"email": "not an address", "password": PASSWORD, "name": "x"}
    )
    assert 400 <= answer.status < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "email" in answer.text
    assert 400 <= shop.ask("POST", "/users/login", data="{not json").status < 500
    assert shop.ask("GET", "/orders").status == 401
    assert shop.ask("GET", "/nothing-here").status == 404


def test_http_is_sent_to_https(shop):
    answer = shop.ask("GET", "/products/", scheme="http")
    assert answer.status in (301, 308)
    assert answer.headers["location"].startswith("https://")


def test_by_name_as_users_resolve_it(browser):
    answer = browser(None).ask("GET", "/products/?size=1")
    assert answer.status == 200
    assert "x-request-id" in answer.headers


DECLARED = {"22", "7443", "8405", "9080", "9081", "9100", "9170"}
"""SSH, the door, and metrics over mutual TLS (docs/metrics.md): HAProxy, two agents, the host, the platform."""


def test_services_are_reached_only_through_the_doors(lab: Lab):
    """Nothing but what the host's roles declare listens beyond loopback."""
    for host in ("msk-app1", "spb-app1"):
        done = lab.run(host, ["ss", "-Htln"])
        open_ports = {line.split()[3] for line in done.stdout.splitlines()}
        beyond = {a.rsplit(":", 1)[1] for a in open_ports if not a.startswith(("127.", "[::1]"))}
        assert beyond <= DECLARED, open_ports
