"""The checker of the order flow must see whatever was lost or done twice."""

from dataclasses import replace

import pytest

from tests.support.orderflow import Found, check


def payment(order, status="accepted", refund=None):
    return {"order_id": order, "status": status, "refund_id": refund}


def mail(kind, order, domain="tandem.test"):
    return {"message_id": f"<{kind}.{order}@{domain}>"}


FINE = Found(
    orders={"o1": "shipped", "o2": "rejected", "o3": "cancelled", "o4": "cancelled"},
    payments=[payment("o1"), payment("o2", "refused"), payment("o3", refund="r")],
    shipments=["o1"],
    mails=[mail("paid", "o1"), mail("shipped", "o1"), mail("shipped", "o1"), mail("rejected", "o2")],
    unsent={"orders": 0},
    queued={"notifications:order.paid": 0},
    stock={1: (5, 5)},
)
ORDERS = list(FINE.orders)


def test_all_is_well():
    assert check(ORDERS, FINE) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"orders": {**FINE.orders, "o1": "packed"}}, "order o1 is still packed"),
        ({"payments": FINE.payments[1:]}, "order o1 is shipped and has 0 payments that were kept"),
        ({"payments": [*FINE.payments, payment("o1")]}, "order o1 has 2 payments"),
        (
            {"payments": [payment("o1"), payment("o3")]},
            "order o3 is cancelled and has 1 payments that were kept",
        ),
        ({"payments": [*FINE.payments, payment("o9")]}, "a payment for order o9, which nobody lists"),
        ({"shipments": []}, "order o1 is shipped and has 0 parcels"),
        ({"shipments": ["o1", "o1"]}, "order o1 is shipped and has 2 parcels"),
        ({"shipments": ["o1", "o4"]}, "order o4 is cancelled and has 1 parcels"),
        ({"mails": FINE.mails[1:]}, "order o1 is shipped and has no mail paid"),
        (
            {"mails": [*FINE.mails, mail("paid", "o1", "other.test")]},
            "order o1 has 2 Message-IDs of kind paid",
        ),
        ({"unsent": {"orders": 2}}, "outbox of orders: 2 rows left"),
        ({"queued": {"a:b:dead": 1}}, "queue a:b:dead: 1 messages left"),
        ({"stock": {1: (4, 5)}}, "product 1: 4 pieces, 5 were put in stock"),
    ],
)
def test_what_is_wrong_is_found(change, problem):
    assert problem in check(ORDERS, replace(FINE, **change))


def test_a_lost_order_is_found():
    assert check([*ORDERS, "o5"], FINE) == ["order o5 was acknowledged and is not there"]
