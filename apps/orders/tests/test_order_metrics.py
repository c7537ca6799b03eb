"""What is counted of orders."""

import pytest
from orders import metrics
from orders.models import CANCELLED, PACKED, PAID, PLACED, REJECTED, SHIPPED


@pytest.mark.parametrize(
    ("before", "now", "states"),
    [
        (PLACED, PAID, (PAID,)),
        (PAID, PACKED, (PACKED,)),
        (PLACED, SHIPPED, (PAID, PACKED, SHIPPED)),
        (PACKED, SHIPPED, (SHIPPED,)),
        (PLACED, REJECTED, (REJECTED,)),
        (PAID, REJECTED, (REJECTED,)),
        (PLACED, CANCELLED, (CANCELLED,)),
    ],
)
def test_skipped_states_are_counted_too(before, now, states):
    assert metrics.passed(before, now) == states


def counted(state):
    """How many orders this process has counted; 0 before the first."""
    return metrics.ORDERS.labels(state)._value.get()


def test_an_order_is_counted_once(shopper, app):
    before = counted("created")
    shopper.put(1, 2)
    first = shopper.check_out("k")
    assert shopper.check_out("k").json == first.json
    assert counted("created") == before + 1
    assert 'orders_total{state="created"}' in app.test_client().get("/metrics").text


def test_a_cancelled_order_is_counted_once(shopper):
    before = counted("cancelled")
    shopper.put(1)
    order = shopper.check_out("k").json["id"]
    for _ in range(2):
        assert shopper.send("POST", f"/orders/{order}/cancel").status_code == 200
    assert counted("cancelled") == before + 1
