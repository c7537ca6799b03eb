"""Checkout: one order per key, whatever fails."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from orders.application import create_app
from orders.commands import settle
from orders.settings import OrdersSettings
from support.apps import Shopper
from support.consuming import outbox
from tandem_common.settings import DatabaseSettings

LAST_FIVE = 40


def available(server, product):
    return server.execute("select available from products where id = %s", "products", (product,))[0][0]


def kind(answer):
    return answer.json["type"].rpartition(":")[2]


def test_cart_to_order(shopper, server):
    assert shopper.put(1, 2).json == {"items": [{"product_id": 1, "quantity": 2}]}
    shopper.put(3)
    answer = shopper.check_out("key-1", json={"note": "  ring twice "})
    assert answer.status_code == 201, answer.text
    assert answer.json["total"] == {"amount": 2 * 69000 + 219000, "currency": "RUB"}
    assert (answer.json["status"], answer.json["note"]) == ("placed", "ring twice")
    assert [(item["product_id"], item["quantity"]) for item in answer.json["items"]] == [(1, 2), (3, 1)]
    assert shopper.send("GET", "/cart").json == {"items": []}
    assert shopper.orders() == [answer.json]
    [(kind, data)] = outbox(server, "orders")
    assert kind == "order.created"
    assert (data["order_id"], data["amount"], data["currency"]) == (
        answer.json["id"],
        2 * 69000 + 219000,
        "RUB",
    )
    assert [(item["product_id"], item["quantity"], item["amount"]) for item in data["items"]] == [
        (1, 2, 69000),
        (3, 1, 219000),
    ]
    held = server.execute("select id, status from reservations", "products")
    assert held == [(data["reservation_id"], "held")], "order-processing sells it"


def test_same_key_same_answer(shopper, server):
    before = available(server, 1)
    shopper.put(1)
    first = shopper.check_out("key-1")
    shopper.put(2)
    server.execute("update products set amount = 1, name = 'x' where id = 1", "products")
    again = shopper.check_out("key-1")
    assert (again.status_code, again.data) == (201, first.data)
    assert len(shopper.orders()) == 1
    assert shopper.send("GET", "/cart").json["items"], "the new cart was ordered by a repetition"
    assert available(server, 1) == before - 1


def test_other_key_other_order(shopper):
    shopper.put(1)
    first = shopper.check_out("key-1")
    shopper.put(1)
    second = shopper.check_out("key-2")
    assert first.json["id"] != second.json["id"]
    assert [order["id"] for order in shopper.orders()] == [second.json["id"], first.json["id"]]


def test_keys_belong_to_users(app, issuer, shopper):
    other = Shopper(app, issuer.issue(uuid.uuid4()))
    shopper.put(1)
    other.put(2)
    assert shopper.check_out("key").json["id"] != other.check_out("key").json["id"]
    assert len(shopper.orders()) == len(other.orders()) == 1


def test_same_key_other_body(shopper):
    shopper.put(1)
    shopper.check_out("key", json={"note": "a"})
    for body in ({"note": "b"}, {}, None):
        answer = shopper.check_out("key", json=body) if body is not None else shopper.check_out("key")
        assert (answer.status_code, kind(answer)) == (422, "idempotency-key-reused")
    assert shopper.check_out("key", json={"note": "a"}).status_code == 201


def test_empty_cart(shopper):
    answer = shopper.check_out("key")
    assert (answer.status_code, kind(answer)) == (409, "cart-empty")


def test_not_enough_stock(shopper, server):
    shopper.put(1)
    shopper.put(LAST_FIVE, 6)
    answer = shopper.check_out("key")
    assert (answer.status_code, kind(answer)) == (409, "not-enough-stock")
    assert answer.json["product_id"] == LAST_FIVE
    assert answer.json["errors"]
    assert shopper.orders() == []
    shopper.put(LAST_FIVE, 5)
    assert shopper.check_out("key").status_code == 201, "a key that made no order can still make one"
    assert available(server, LAST_FIVE) == 0


def test_a_product_that_is_gone(shopper, server):
    shopper.put(1)
    server.execute("delete from products where id = 1", "products")
    answer = shopper.check_out("key")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "product_id")


# --- many at once


def test_same_key_at_once(shopper, server):
    before = available(server, 1)
    shopper.put(1, 2)

    def attempt(_number):
        for _ in range(40):
            answer = shopper.check_out("key")
            if answer.status_code != 503:
                return answer.status_code, answer.data
            time.sleep(0.05)
        raise AssertionError(answer.text)

    with ThreadPoolExecutor(6) as pool:
        answers = set(pool.map(attempt, range(12)))
    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert len(shopper.orders()) == 1
    assert available(server, 1) == before - 2


def test_the_last_pieces_are_sold_once(app, issuer, server):
    shoppers = [Shopper(app, issuer.issue(uuid.uuid4())) for _ in range(12)]

    def buy(shopper):
        for _ in range(60):
            if shopper.put(LAST_FIVE).status_code != 503:
                answer = shopper.check_out("key")
                if answer.status_code != 503:
                    return answer.status_code
            time.sleep(0.05)
        raise AssertionError("no answer")

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(buy, shoppers))
    assert sorted(statuses) == [201] * 5 + [409] * 7
    assert available(server, LAST_FIVE) == 0
    assert server.execute("select count(*) from orders where status = 'placed'", "orders") == [(5,)]


# --- failures


def during_commit(server, call, do):
    """Run `call` while every COMMIT waits for a standby, and `do` with the process id of each that waits."""
    answers = []
    server.require_missing_standby(True)
    try:
        thread = threading.Thread(target=lambda: answers.append(call()))
        thread.start()
        do(server.wait_for_commit_wait())
        thread.join(10)
    finally:
        server.require_missing_standby(False)
    return answers[0]


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
def test_unknown_commit_then_repetition(shopper, server, function):
    """The commits of a checkout are: look up (writes nothing), reservation, order with its event."""
    before = available(server, 1)
    shopper.put(1)
    answer = during_commit(
        server, lambda: shopper.check_out("key"), lambda pid: server.execute(f"select {function}({pid})")
    )
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"]
    again = shopper.check_out("key")
    assert again.status_code == 201, again.text
    assert shopper.check_out("key").data == again.data
    assert len(shopper.orders()) == 1
    assert available(server, 1) == before - 1


class Interruption(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("commit", [1, 2])
@pytest.mark.parametrize("before", [True, False])
def test_every_point_of_failure(app, shopper, server, monkeypatch, commit, before):
    """The database goes away just before or just after each COMMIT of orders; the buyer repeats."""
    database = app.extensions["database"]
    original = type(database).transaction
    stock = available(server, 1)
    shopper.put(1)
    calls = []

    def interrupted(self, work, **more):
        if self is not database:
            return original(self, work, **more)
        calls.append(1)
        if len(calls) == commit and before:
            raise Interruption
        result = original(self, work, **more)
        if len(calls) == commit:
            raise Interruption
        return result

    monkeypatch.setattr(type(database), "transaction", interrupted)
    assert shopper.check_out("key").status_code == 500
    monkeypatch.undo()
    answers = {shopper.check_out("key").data for _ in range(3)}
    assert len(answers) == 1
    [order] = shopper.orders()
    assert order["status"] == "placed"
    assert available(server, 1) == stock - 1
    assert [(kind, data["order_id"]) for kind, data in outbox(server, "orders")] == [
        ("order.created", order["id"])
    ]


def test_repetition_is_not_acknowledged_before_it_is_safe(shopper, server):
    shopper.put(1)
    first = shopper.check_out("key")
    assert first.status_code == 201
    answer = during_commit(
        server,
        lambda: shopper.check_out("key"),
        lambda pid: server.execute(f"select pg_cancel_backend({pid})"),
    )
    assert (answer.status_code, kind(answer)) == (503, "outcome-unknown")
    assert shopper.check_out("key").data == first.data


def test_cart_changed_between_attempts(shopper, server):
    """The first attempt reserved and then failed; the repetition orders the cart as it is now."""
    before = available(server, 1), available(server, 2)
    shopper.put(1, 3)
    answer = during_commit(
        server,
        lambda: shopper.check_out("key"),
        lambda pid: server.execute(f"select pg_cancel_backend({pid})"),
    )
    assert answer.status_code == 503
    shopper.put(1, 0)
    shopper.put(2, 1)
    order = shopper.check_out("key")
    assert order.status_code == 201
    assert [(item["product_id"], item["quantity"]) for item in order.json["items"]] == [(2, 1)]
    assert available(server, 2) == before[1] - 1
    assert available(server, 1) == before[0] - 3, "held until it expires"


def test_cart_changed_during_checkout(app, shopper, server, monkeypatch):
    before = available(server, 1)
    shopper.put(1)
    checkout_hold = "orders.products.Products.hold"
    from orders.products import Products

    original = Products.hold

    def slow_hold(self, *arguments):
        reservation = original(self, *arguments)
        assert shopper.put(2).status_code == 200
        return reservation

    monkeypatch.setattr(checkout_hold, slow_hold)
    answer = shopper.check_out("key")
    assert (answer.status_code, kind(answer)) == (409, "cart-changed")
    assert available(server, 1) == before, "released"
    monkeypatch.undo()
    assert shopper.check_out("key").status_code == 201


def test_products_down(shopper, products_service, orders_settings, public_pem, issuer):
    app = create_app(
        OrdersSettings(**orders_settings, jwt_public=public_pem, products_url="http://127.0.0.1:1")
    )
    lonely = Shopper(app, shopper.token)
    shopper.put(1)
    for answer in (lonely.put(1), lonely.check_out("key")):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    assert lonely.put(1, 0).status_code == 200, "taking out needs nobody else"
    assert lonely.send("GET", "/health/ready").status_code == 200
    app.extensions["database"].close()


# --- orders of the release before events


def as_before_events(server, status):
    """What an instance of that release leaves: it knows nothing of announcements."""
    server.execute("delete from outbox", "orders")
    server.execute("update orders set announced_at = null, status = %s", "orders", (status,))


@pytest.mark.parametrize("status", ["pending", "placed"])
def test_settle_takes_up_what_the_release_before_left(shopper, server, orders_settings, status):
    shopper.put(1)
    made = shopper.check_out("key").json["id"]
    as_before_events(server, status)
    settings = DatabaseSettings(**orders_settings)
    settle(settings)
    assert outbox(server, "orders") == [], "it may still be at work"
    server.execute("update orders set created_at = created_at - interval '2 minutes'", "orders")
    for _ in range(2):
        settle(settings)
        [(kind, data)] = outbox(server, "orders")
        assert (kind, data["order_id"]) == ("order.created", made)
    assert [order["status"] for order in shopper.orders()] == ["placed"]


def test_a_repetition_takes_up_what_the_release_before_left(shopper, server):
    shopper.put(1)
    first = shopper.check_out("key")
    as_before_events(server, "pending")
    assert [order["status"] for order in shopper.orders()] == ["placed"]
    for _ in range(2):
        assert shopper.check_out("key").data == first.data
    assert [kind for kind, _ in outbox(server, "orders")] == ["order.created"]


def test_what_was_cancelled_before_stays_so(shopper, server, orders_settings):
    shopper.put(1)
    shopper.check_out("key")
    as_before_events(server, "cancelled")
    server.execute("update orders set created_at = created_at - interval '2 minutes'", "orders")
    settle(DatabaseSettings(**orders_settings))
    assert outbox(server, "orders") == []
    assert [order["status"] for order in shopper.orders()] == ["cancelled"]
