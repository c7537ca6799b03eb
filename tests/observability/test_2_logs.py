"""One order's lines join from the edge to the last worker, in both datacenters; no secret is in any line."""

import time
import uuid

import pytest

from tests.support.loki import Loki
from tests.support.observers import observers
from tests.support.playbook import ROOT
from tests.support.secrets import generated
from tests.support.shop import logged_in, visitor

ARRIVES = 60
"""Seconds from a line to both Lokis, at most; most take two."""
HANDS = {
    "nginx",
    "haproxy",
    "orders",
    "products",
    "order-processing",
    "orders-events",
    "audit-events",
    "notifications",
}
"""Through which an order goes."""


@pytest.fixture(scope="module")
def lokis(lab):
    found = [Loki(lab, observer.host) for observer in observers(lab)]
    assert len(found) == 2, found
    return found


def shipped(shop):
    """Order a product, and return the order's id when it is on its way to the customer."""
    logged_in(shop)
    product = shop.ask("GET", "/products/?size=1").json()["items"][0]
    shop.ask("POST", "/cart", {"product_id": product["id"], "quantity": 1})
    order = shop.ask("POST", "/orders/checkout", Idempotency_Key=uuid.uuid4().hex).json()
    end = time.monotonic() + 60
    while (status := shop.ask("GET", "/orders").json()["items"][0]["status"]) != "shipped":
        assert time.monotonic() < end, f"the order is {status}"
        time.sleep(0.5)
    return order["id"]


def joined(loki, order):
    """The services that have a line with the id of the request that made the order."""
    lines = loki.of_order(order, 300)
    checkouts = {line.labels["request_id"] for line in lines if line.labels["service"] == "orders"}
    return {line.labels["service"] for line in lines if line.labels.get("request_id") in checkouts}


def test_one_order_from_edge_to_worker_in_both_datacenters(lab, lokis):
    order = shipped(visitor(lab, lab.env()["hosts"]["spb-edge1"]["address"]))
    for loki in lokis:
        end = time.monotonic() + ARRIVES
        while missing := HANDS - joined(loki, order):
            assert time.monotonic() < end, f"{loki.host}: of order {order} no line of {missing}"
            time.sleep(1)


def test_no_secret_is_in_any_line(lokis):
    secrets = generated(ROOT / "inventories/lab/.secrets")
    for loki in lokis:
        lines = 0
        for line in loki.everything(seconds=7200):
            lines += 1
            told = [name for name, value in secrets.items() if value in line.text]
            assert not told, f"{loki.host}: {told} in a line of {line.labels}"
        assert lines > 1000, f"{loki.host} has {lines} lines only"
