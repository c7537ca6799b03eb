"""What becomes of an order after checkout: steps by events, cancellation by the buyer."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders.events import HANDLERS
from orders.states import CANCELLABLE, FINAL, FORWARD, after
from support.apps import Shopper
from support.consuming import handle, outbox
from tandem_common.events import Reject

STEPS = ("paid", "packed", "shipped")


@pytest.fixture
def order(shopper):
    shopper.put(1)
    return shopper.check_out("key").json["id"]


@pytest.fixture
def tell(app, order):
    """An event of order-processing about the order."""

    def tell(step, order_id=order, **more):
        kinds = {"shipped": {"tracking": "TND1"}, "rejected": {"reason": "sold_out"}}
        data = {"order_id": order_id, "user_id": str(uuid.uuid4()), **kinds.get(step, {}), **more}
        handle(app.extensions["database"], HANDLERS, f"order.{step}", data)

    return tell


def cancel(shopper, order):
    return shopper.send("POST", f"/orders/{order}/cancel")


def test_an_order_goes_on_step_by_step(shopper, tell):
    for step in STEPS:
        tell(step)
        [order] = shopper.orders()
        assert order["status"] == step
    assert order["tracking"] == "TND1"


def test_a_repeated_checkout_is_answered_as_at_first(shopper, order, tell):
    first = shopper.check_out("key").data
    for step in STEPS:
        tell(step)
        assert shopper.check_out("key").data == first


@given(st.permutations(STEPS), st.lists(st.sampled_from(STEPS)))
def test_steps_in_any_order_and_number_lead_to_the_last(steps, more):
    status = "placed"
    for step in [*steps, *more]:
        status = after(status, step)
    assert status == "shipped"


@given(st.sampled_from((*FORWARD, *sorted(FINAL))), st.sampled_from((*STEPS, "rejected")))
def test_nothing_leads_back(present, told):
    moved = after(present, told)
    if present in FINAL:
        assert moved == present
    else:
        assert moved in FINAL or FORWARD.index(moved) >= FORWARD.index(present)
        assert moved not in CANCELLABLE or told == moved


@pytest.mark.parametrize("reason", ["sold_out", "payment_refused"])
def test_a_rejection_says_why(shopper, tell, reason):
    tell("rejected", reason=reason)
    assert [(order["status"], order["reason"]) for order in shopper.orders()] == [("rejected", reason)]
    tell("paid")
    assert [order["status"] for order in shopper.orders()] == ["rejected"]


def test_a_step_of_an_unknown_order_goes_to_the_dead_letters(tell):
    with pytest.raises(Reject):
        tell("paid", order_id=str(uuid.uuid4()))


def test_cancelling(shopper, order, server):
    for _ in range(2):
        answer = cancel(shopper, order)
        assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert [kind for kind, _ in outbox(server, "orders")] == ["order.created", "order.cancelled"]
    _, data = outbox(server, "orders")[1]
    [(reservation,)] = server.execute("select reservation_id from orders", "orders")
    assert (data["order_id"], data["reservation_id"]) == (order, reservation)


@pytest.mark.parametrize("step", [*STEPS, "rejected"])
def test_too_late_to_cancel(shopper, order, tell, server, step):
    tell(step)
    answer = cancel(shopper, order)
    assert (answer.status_code, answer.json["order_status"]) == (409, step)
    assert answer.json["type"] == "urn:tandem:problem:too-late"
    assert [kind for kind, _ in outbox(server, "orders")] == ["order.created"]


@pytest.mark.parametrize("step", [*STEPS, "rejected"])
def test_a_cancelled_order_stays_cancelled(shopper, order, tell, step):
    cancel(shopper, order)
    tell(step)
    assert [order["status"] for order in shopper.orders()] == ["cancelled"]


def test_only_the_buyer_cancels(app, issuer, shopper, order):
    other = Shopper(app, issuer.issue(uuid.uuid4()))
    assert cancel(other, order).status_code == 404
    assert cancel(shopper, uuid.uuid4()).status_code == 404
    assert cancel(shopper, "x").status_code == 404
    assert [one["status"] for one in shopper.orders()] == ["placed"]
