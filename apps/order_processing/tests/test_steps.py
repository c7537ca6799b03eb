"""The steps of an order, whatever the payment provider does and in whatever order messages come."""

import threading
import uuid
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_processing.models import Base
from order_processing.steps import PaymentAtWork
from support.drift import drift
from support.shopflow import cancelled
from tandem_common.events import Reject
from tandem_common.problems import Unavailable

LAST_FIVE = 40


def kinds(flow):
    return [kind for kind, _ in flow.events()]


def test_an_order_is_paid_packed_and_shipped(flow, order, provider):
    before = flow.available()
    flow.run(order)
    assert kinds(flow) == ["order.paid", "order.packed", "order.shipped"]
    assert flow.state(order) == "shipped"
    assert flow.reservation(order) == "confirmed"
    assert flow.available() == before
    [payment] = provider.made()
    assert (payment["order_id"], payment["key"]) == (order["order_id"], order["order_id"])
    assert (payment["amount"], payment["currency"]) == (order["amount"], "RUB")
    [(_, paid), _, (_, shipped)] = flow.events()
    assert (paid["payment_id"], paid["items"]) == (payment["id"], order["items"])
    assert flow.rows("select tracking from shipments") == [(shipped["tracking"],)]


def test_every_step_may_be_repeated(flow, order, provider):
    for _ in range(3):
        flow.run(order)
    assert kinds(flow) == ["order.paid", "order.packed", "order.shipped"]
    assert len(provider.made()) == 1


def test_a_step_that_comes_before_its_order_goes_to_the_dead_letters(flow, order):
    with pytest.raises(Reject):
        flow.tell("order.paid", order)
    assert kinds(flow) == []


def test_sold_out_meanwhile(flow, provider):
    order = flow.order(uuid.uuid4(), LAST_FIVE, 3)
    flow.stock.release(uuid.UUID(order["reservation_id"]))
    flow.stock.hold(uuid.uuid4(), {LAST_FIVE: 3}, 60)
    flow.run(order)
    [(kind, data)] = flow.events()
    assert (kind, data["reason"]) == ("order.rejected", "sold_out")
    assert provider.made() == []
    assert flow.available(LAST_FIVE) == 2


def test_a_refused_payment_gives_the_stock_back(flow, order, provider):
    before = flow.available()
    provider.behave("fail")
    flow.run(order)
    [(kind, data)] = flow.events()
    assert (kind, data["reason"]) == ("order.rejected", "payment_refused")
    assert flow.reservation(order) == "returned"
    assert flow.available() == before + 2
    provider.behave("normal")
    flow.run(order)
    assert kinds(flow) == ["order.rejected"]
    assert flow.rows("select * from payments") == []


def test_a_refusal_that_was_not_written_down_is_found_again(flow, order, provider, monkeypatch):
    """The process ends after the stock was given back."""
    provider.behave("fail")
    monkeypatch.setattr("order_processing.steps._write_payment", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        flow.tell("order.created", order)
    monkeypatch.undo()
    flow.tell("order.created", order)
    assert [(kind, data["reason"]) for kind, data in flow.events()] == [("order.rejected", "payment_refused")]


def test_a_payment_that_was_not_written_down_is_found_again(flow, order, provider, monkeypatch):
    monkeypatch.setattr("order_processing.steps._write_payment", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        flow.tell("order.created", order)
    monkeypatch.undo()
    flow.run(order)
    assert kinds(flow) == ["order.paid", "order.packed", "order.shipped"]
    assert [payment["requests"] for payment in provider.made()] == [2]


def test_a_slow_provider_is_asked_again_with_the_same_key(flow, order, provider):
    provider.behave("slow", seconds=1)
    with pytest.raises(Unavailable):
        flow.tell("order.created", order)
    assert kinds(flow) == []
    flow.run(order)
    assert kinds(flow) == ["order.paid", "order.packed", "order.shipped"]
    assert len(provider.made()) == 1


def test_a_provider_that_is_away(flow, order, provider):
    provider.behave("unavailable")
    with pytest.raises(Unavailable):
        flow.tell("order.created", order)
    provider.behave("normal")
    flow.run(order)
    assert len(provider.made()) == 1
    assert flow.state(order) == "shipped"


def test_a_provider_that_answers_twice(flow, provider):
    """A second answer on the same connection must not be taken for that of the next order."""
    provider.behave("twice")
    orders = [flow.order(uuid.uuid4()) for _ in range(4)]
    for order in orders:
        flow.run(order)
    paid = {data["order_id"]: data["payment_id"] for kind, data in flow.events() if kind == "order.paid"}
    assert paid == {payment["order_id"]: payment["id"] for payment in provider.made()}
    assert len(paid) == 4


def test_many_workers_pay_once(flow, order, provider):
    failures = []

    def work():
        try:
            flow.tell("order.created", order)
        except Unavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flow.tell("order.created", order)
    assert kinds(flow) == ["order.paid"]
    assert len(provider.made()) == 1


@pytest.mark.parametrize("before", [False, True])
def test_cancelled_before_it_was_paid(flow, order, provider, before):
    """Also where the cancellation overtakes the order."""
    stock = flow.available()
    flow.tell("order.cancelled", cancelled(order))
    flow.run(order)
    if before:
        flow.tell("order.cancelled", cancelled(order))
    assert kinds(flow) == []
    assert provider.made() == []
    assert flow.state(order) == "cancelled"
    assert flow.available() == stock + 2


@pytest.mark.parametrize("then", ["normal", "fail"])
def test_cancelled_while_it_is_paid(flow, order, provider, then):
    """Nobody knows yet what becomes of the payment: the cancellation waits for it."""
    stock = flow.available()
    provider.behave("unavailable")
    with pytest.raises(Unavailable):
        flow.tell("order.created", order)
    with pytest.raises(PaymentAtWork):
        flow.tell("order.cancelled", cancelled(order))
    provider.behave(then)
    flow.tell("order.created", order)
    flow.tell("order.cancelled", cancelled(order))
    assert flow.state(order) == "cancelled"
    assert kinds(flow) == [], "its buyer is not told of a payment, nor of its refusal"
    [payment] = provider.made()
    assert bool(payment["refund_id"]) == (then == "normal")
    assert flow.available() == stock + 2


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_cancelled_after_it_was_paid(flow, order, provider, steps):
    stock = flow.available()
    for kind in ["order.created", "order.paid", "order.packed"][:steps]:
        flow.tell(kind, order)
    for _ in range(2):
        flow.tell("order.cancelled", cancelled(order))
    sent = kinds(flow)
    for kind in ["order.created", "order.paid", "order.packed"]:
        flow.tell(kind, order)
    assert kinds(flow) == sent, "no step after the cancellation"
    [payment] = provider.made()
    assert flow.rows("select refund_id from payments") == [(payment["refund_id"],)]
    assert payment["refund_id"]
    assert flow.available() == stock + 2
    assert flow.rows("select recalled_at is not null from shipments") == [(True,)] * (steps == 3)


def test_a_rejected_order_stays_rejected(flow, order, provider):
    stock = flow.available()
    provider.behave("fail")
    flow.run(order)
    flow.tell("order.cancelled", cancelled(order))
    assert flow.state(order) == "rejected"
    assert flow.available() == stock + 2


MODES = st.sampled_from(["normal", "fail", "unavailable", "twice"])
TOLD = st.sampled_from(["order.created", "order.paid", "order.packed", "order.cancelled"])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TOLD, MODES), max_size=10))
def test_money_and_stock_add_up_whatever_comes_when(flow, provider, told):
    stock = flow.available()
    order = flow.order(uuid.uuid4())
    for kind, mode in [*told, ("order.created", "normal")]:
        provider.behave(mode)
        with suppress(Unavailable, PaymentAtWork, Reject):  # it would come again
            flow.tell(kind, cancelled(order) if kind == "order.cancelled" else order)
    if any(kind == "order.cancelled" for kind, _ in told):
        flow.tell("order.cancelled", cancelled(order))
    mine = [kind for kind, data in flow.events() if data["order_id"] == order["order_id"]]
    payments = [one for one in provider.made() if one["order_id"] == order["order_id"]]
    state = flow.state(order)
    assert len(mine) == len(set(mine))
    assert len(payments) <= 1
    accepted = bool(payments) and payments[0]["status"] == "accepted"
    kept = accepted and not payments[0]["refund_id"]
    assert kept == (state in ("paid", "packed", "shipped"))
    assert flow.available() == (stock - 2 if kept else stock)
    assert (state == "rejected") == ("order.rejected" in mine)


def test_migrations_lead_to_the_models(order_processing_database):
    assert drift(order_processing_database, "order_processing", Base.metadata) == []
