"""Catalogue and stock."""

import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from products.models import CATEGORIES, PICTURES, Base
from products.samples import read, seed
from products.stock import Stock
from sqlalchemy import Engine, event
from support.drift import drift
from support.openapi import check
from tandem_common.api import PUBLIC
from tandem_common.problems import Conflict, ProblemError, Unavailable
from tandem_common.settings import DatabaseSettings

LAST_FIVE = 40
SOLD_OUT = 41


@pytest.fixture
def stock(app):
    return Stock(app.extensions["database"])


def hold(client, reservation, items=((1, 2),), **more):
    wanted = [{"product_id": product, "quantity": quantity} for product, quantity in items]
    return client.put(f"/internal/reservations/{reservation}", json={"items": wanted, **more})


def confirm(client, reservation):
    return client.post(f"/internal/reservations/{reservation}/confirm")


def release(client, reservation):
    return client.delete(f"/internal/reservations/{reservation}")


def take_back(client, reservation):
    return client.post(f"/internal/reservations/{reservation}/return")


def available(client, product):
    return client.get(f"/products/{product}").json["available"]


def books_balance(server):
    """available + held + confirmed = what was put in stock, for every product."""
    rows = server.execute(
        "select p.id, p.available + coalesce((select sum(i.quantity) from reservation_items i"
        " join reservations r on r.id = i.reservation_id"
        " where i.product_id = p.id and r.status in ('held', 'confirmed')), 0) from products p order by p.id",
        "products",
    )
    return [(row["id"], row["available"]) for row in read()] == rows


# --- catalogue


def test_pages(client):
    first = client.get("/products/").json
    assert (first["page"], first["size"], first["total"], len(first["items"])) == (1, 20, 41, 20)
    members = {"id", "sku", "name", "description", "category", "picture", "price", "available"}
    assert set(first["items"][0]) == members
    assert first["items"][0]["price"] == {"amount": 69000, "currency": "RUB"}
    pages = [client.get(f"/products/?page={page}&size=7").json["items"] for page in range(1, 8)]
    assert [item["id"] for page in pages for item in page] == list(range(1, 42))
    assert client.get("/products/?page=100000&size=100").json["items"] == []
    assert client.get("/products").status_code == 200


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("coffee", [5, 8, 9]),
        ("COFFEE BEANS", [8, 9]),
        ("T-1041", [41]),
        ("1000/6000", [16]),
        ("\u00d7", [13, 21, 22, 23]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("/", [16]),
        ("'", [14, 32]),
    ],
)
def test_search(client, text, ids):
    found = client.get("/products/", query_string={"q": text}).json
    assert [item["id"] for item in found["items"]] == ids
    assert found["total"] == len(ids)


def test_empty_search_finds_all(client):
    assert client.get("/products/?q=").json["total"] == 41
    assert client.get("/products/?q=%20").json["total"] == 41


@pytest.mark.parametrize(
    "query", ["q=%00", "q=a%00b", "q=" + "x" * 101, "size=0", "size=1000", "page=0", "page=1e3"]
)
def test_wrong_queries(client, query):
    answer = client.get(f"/products/?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


def test_totals_beyond_the_last_page(client):
    beyond = client.get("/products/?page=9&size=20&q=coffee").json
    assert (beyond["items"], beyond["total"]) == ([], 3)
    assert client.get("/products/?page=9&q=elephant").json["total"] == 0


@pytest.fixture
def statements():
    """What is sent to the database."""
    sent = []

    def note(_connection, _cursor, statement, *_more):
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "path", ["/products/", "/products/?q=coffee", "/products/?page=2&size=20", "/products/7"]
)
def test_an_answer_takes_one_statement(client, statements, path):
    """Each costs a round trip, perhaps to the other datacenter."""
    assert client.get(path).status_code == 200
    assert len([text for text in statements if "FROM products" in text]) == 1, statements


def test_the_catalogue_is_cacheable_and_nothing_else(client):
    for path in ("/products/", "/products/?q=coffee", "/products/3"):
        answer = client.get(path)
        assert answer.headers.getlist("Cache-Control") == [PUBLIC]
        assert "Set-Cookie" not in answer.headers
        assert "Vary" not in answer.headers
        again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    for answer in (
        client.get("/products/42"),
        client.get("/products/?page=0"),
        hold(client, uuid.uuid4()),
        confirm(client, uuid.uuid4()),
        release(client, uuid.uuid4()),
    ):
        assert answer.headers.getlist("Cache-Control") == ["no-store"]


def test_a_sale_changes_the_tag(client):
    tags = [client.get(path).headers["ETag"] for path in ("/products/", "/products/1")]
    hold(client, uuid.uuid4(), [(1, 1)])
    after = [client.get(path).headers["ETag"] for path in ("/products/", "/products/1")]
    assert not set(tags) & set(after)


def test_samples_are_well_formed():
    rows = read()
    assert [row["id"] for row in rows] == list(range(1, 42))
    assert {row["category"] for row in rows} <= set(CATEGORIES)
    assert {row["picture"] for row in rows} == set(PICTURES)
    assert len({row["name"] for row in rows}) == 41
    assert all(row["description"].endswith((".", "!")) and len(row["description"]) < 160 for row in rows)


def test_one_product(client):
    answer = client.get("/products/3")
    assert (answer.status_code, answer.json["sku"]) == (200, "T-1003")


@pytest.mark.parametrize(
    "path", ["0", "42", "2147483648", "9" * 400, "9" * 5000, "-1", "x", "1.0", "%00", "%ff", "1/2", "\u0663x"]
)
def test_no_such_product(client, path):
    assert client.get(f"/products/{path}").status_code == 404


def test_reads_without_a_primary(client, server):
    server.execute("alter system set default_transaction_read_only = on")
    server.execute("select pg_reload_conf()")
    try:
        time.sleep(0.1)
        assert client.get("/products/").status_code == 200
        answer = hold(client, uuid.uuid4())
        assert (answer.status_code, answer.json["type"]) == (503, "urn:tandem:problem:unavailable")
    finally:
        server.execute("alter system reset default_transaction_read_only")
        server.execute("select pg_reload_conf()")


def test_seed_keeps_what_is_there(client, products_settings):
    assert hold(client, uuid.uuid4(), [(1, 10)]).status_code == 200
    left = available(client, 1)
    seed(DatabaseSettings(**products_settings))
    assert available(client, 1) == left


# --- reservations


def test_hold_confirm(client, server):
    reservation = uuid.uuid4()
    before = available(client, 1)
    held = hold(client, reservation, [(2, 1), (1, 2)])
    assert held.status_code == 200, held.text
    assert held.json["status"] == "held"
    assert [(item["product_id"], item["quantity"]) for item in held.json["items"]] == [(1, 2), (2, 1)]
    assert available(client, 1) == before - 2
    assert confirm(client, reservation).json["status"] == "confirmed"
    assert available(client, 1) == before - 2
    assert release(client, reservation).status_code == 409, "what was sold stays sold"
    assert books_balance(server)


def test_repetition_changes_nothing(client, server):
    reservation = uuid.uuid4()
    before = available(client, 1)
    first = hold(client, reservation)
    server.execute("update products set amount = amount + 1 where id = 1", "products")
    assert hold(client, reservation).json == first.json, "the price is that of the first request"
    assert available(client, 1) == before - 2
    assert confirm(client, reservation).json == confirm(client, reservation).json
    assert hold(client, reservation).json["status"] == "confirmed"
    assert available(client, 1) == before - 2
    server.execute("update products set amount = amount - 1 where id = 1", "products")


def test_release(client, server):
    reservation = uuid.uuid4()
    before = available(client, 1)
    hold(client, reservation)
    assert release(client, reservation).status_code == 204
    assert release(client, reservation).status_code == 204
    assert release(client, uuid.uuid4()).status_code == 204
    assert available(client, 1) == before
    assert hold(client, reservation, [(1, 3)]).status_code == 200, "it may be made anew, with other items"
    assert available(client, 1) == before - 3
    assert books_balance(server)


def test_confirm_after_release_takes_stock_again(client, server):
    reservation, other = uuid.uuid4(), uuid.uuid4()
    hold(client, reservation, [(LAST_FIVE, 5)])
    release(client, reservation)
    assert confirm(client, reservation).status_code == 200
    assert available(client, LAST_FIVE) == 0
    hold(client, other, [(1, 1)])
    assert books_balance(server)


def test_confirm_after_somebody_else_bought_it(client, server):
    slow, quick = uuid.uuid4(), uuid.uuid4()
    hold(client, slow, [(LAST_FIVE, 3)])
    release(client, slow)
    hold(client, quick, [(LAST_FIVE, 3)])
    answer = confirm(client, slow)
    assert (answer.status_code, answer.json["available"]) == (409, 2)
    assert books_balance(server)


@pytest.mark.parametrize("before", [hold, confirm, release])
def test_what_is_taken_back_is_never_sold_again(client, server, before):
    reservation = uuid.uuid4()
    stock = available(client, 1)
    hold(client, reservation, [(1, 2)])
    before(client, reservation)
    for _ in range(2):
        assert take_back(client, reservation).status_code == 204
    assert available(client, 1) == stock
    for again in (hold, confirm):
        answer = again(client, reservation)
        assert (answer.status_code, answer.json["type"]) == (409, "urn:tandem:problem:reservation-returned")
    assert release(client, reservation).status_code == 204
    assert available(client, 1) == stock
    assert books_balance(server)


def test_other_items_under_the_same_id(client, server):
    reservation = uuid.uuid4()
    hold(client, reservation, [(1, 2)])
    for items in ([(1, 3)], [(2, 2)], [(1, 2), (2, 1)]):
        assert hold(client, reservation, items).status_code == 409
    assert books_balance(server)


def test_all_or_nothing(client, server):
    before = available(client, 1)
    answer = hold(client, uuid.uuid4(), [(1, 1), (LAST_FIVE, 6)])
    assert answer.status_code == 409
    assert answer.json["type"] == "urn:tandem:problem:not-enough-stock"
    assert (answer.json["product_id"], answer.json["wanted"], answer.json["available"]) == (LAST_FIVE, 6, 5)
    assert available(client, 1) == before
    assert books_balance(server)


def test_expired_stock_is_there_for_the_next(client, server):
    old, new = uuid.uuid4(), uuid.uuid4()
    assert hold(client, old, [(LAST_FIVE, 5)], expires_in=1).status_code == 200
    assert hold(client, new, [(LAST_FIVE, 5)]).status_code == 409
    time.sleep(1.1)
    assert hold(client, new, [(LAST_FIVE, 5)]).status_code == 200
    assert confirm(client, old).status_code == 409
    assert books_balance(server)


def test_late_confirmation_counts_while_nobody_needs_the_stock(client):
    reservation = uuid.uuid4()
    hold(client, reservation, [(LAST_FIVE, 5)], expires_in=1)
    time.sleep(1.1)
    assert confirm(client, reservation).status_code == 200
    assert available(client, LAST_FIVE) == 0


def test_a_late_repetition_holds_on(client, stock):
    reservation = uuid.uuid4()
    hold(client, reservation, expires_in=1)
    time.sleep(1.1)
    assert hold(client, reservation, expires_in=60).json["status"] == "held"
    assert stock.expire() == 0


def test_expire(client, server, stock):
    for _ in range(3):
        hold(client, uuid.uuid4(), [(2, 1), (1, 1)], expires_in=1)
    hold(client, uuid.uuid4(), expires_in=60)
    time.sleep(1.1)
    assert stock.expire() == 3
    assert stock.expire() == 0
    assert books_balance(server)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"items": [{"product_id": 1, "quantity": 1}] * 2}, "items"),
        ({"items": [{"product_id": i, "quantity": 1} for i in range(1, 102)]}, "items"),
        ({"items": [{"product_id": 1, "quantity": 0}]}, "items.0.quantity"),
        ({"items": [{"product_id": 1, "quantity": 1001}]}, "items.0.quantity"),
        ({"items": [{"product_id": 0, "quantity": 1}]}, "items.0.product_id"),
        ({"items": [{"product_id": 2**31, "quantity": 1}]}, "items.0.product_id"),
        ({"items": [{"product_id": 999, "quantity": 1}]}, "product_id"),
        ({"items": [{"product_id": 1, "quantity": 1}], "expires_in": 0}, "expires_in"),
        ({"items": [{"product_id": 1, "quantity": 1}], "expires_in": 10**9}, "expires_in"),
    ],
)
def test_wrong_holds(client, body, field):
    answer = client.put(f"/internal/reservations/{uuid.uuid4()}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json["errors"][0]["field"] == field


def test_unknown_reservations(client):
    assert confirm(client, uuid.uuid4()).status_code == 404
    assert confirm(client, "x").status_code == 404
    assert take_back(client, uuid.uuid4()).status_code == 404


def test_internal_paths_are_not_below_the_public_prefix(client):
    assert client.put("/products/internal/reservations/x").status_code == 404
    assert client.put(f"/products/../internal/reservations/{uuid.uuid4()}", json={}).status_code == 404
    assert "internal" not in client.get("/products/openapi.json").text


# --- many at once


def test_never_oversold(client, server, stock):
    """Thirty buyers of the last five, in different amounts and orders, some of whom give back."""
    sold = []
    lock = threading.Lock()

    def buy(number):
        chance = random.Random(number)
        reservation = uuid.uuid4()
        wanted = {LAST_FIVE: chance.randint(1, 2), chance.randint(1, 5): 1}
        try:
            while True:
                try:
                    stock.hold(reservation, wanted, 60)
                    if chance.random() < 0.3:
                        stock.release(reservation)
                    else:
                        stock.confirm(reservation)
                        with lock:
                            sold.append(wanted[LAST_FIVE])
                    return
                except Unavailable:
                    time.sleep(0.02)
        except Conflict:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(buy, range(30)))
    assert sum(sold) <= 5
    assert available(client, LAST_FIVE) == 5 - sum(sold)
    assert books_balance(server)


def test_same_reservation_at_once(client, server, stock):
    reservation = uuid.uuid4()
    before = available(client, 1)

    def attempt(_number):
        while True:
            try:
                return stock.hold(reservation, {1: 2, 3: 1}, 60).reservation.status
            except Unavailable:
                time.sleep(0.02)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(attempt, range(16))) == {"held"}
    assert available(client, 1) == before - 2
    assert books_balance(server)


def test_repetition_is_not_acknowledged_before_it_is_safe(client, server):
    """The first attempt was committed on the primary only."""
    reservation = uuid.uuid4()
    server.require_missing_standby(True)
    try:
        first = []
        thread = threading.Thread(target=lambda: first.append(hold(client, reservation)))
        thread.start()
        server.execute(f"select pg_cancel_backend({server.wait_for_commit_wait()})")
        thread.join()
        assert first[0].json["type"] == "urn:tandem:problem:outcome-unknown"
        for again in (hold, release):
            thread = threading.Thread(target=lambda again=again: first.append(again(client, reservation)))
            thread.start()
            server.execute(f"select pg_cancel_backend({server.wait_for_commit_wait()})")
            thread.join()
            assert first[-1].status_code == 503
    finally:
        server.require_missing_standby(False)
    assert release(client, reservation).status_code == 204
    assert books_balance(server)


class Actions:
    """What may happen to three reservations of two scarce products."""

    hold = st.tuples(
        st.just("hold"),
        st.integers(0, 2),
        st.dictionaries(st.integers(39, 41), st.integers(1, 4), min_size=1),
    )
    confirm = st.tuples(st.just("confirm"), st.integers(0, 2), st.none())
    release = st.tuples(st.just("release"), st.integers(0, 2), st.none())
    take_back = st.tuples(st.just("take_back"), st.integers(0, 2), st.none())
    expire = st.tuples(st.just("expire"), st.integers(0, 2), st.none())


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        Actions.hold | Actions.confirm | Actions.release | Actions.take_back | Actions.expire, max_size=12
    )
)
def test_books_balance_whatever_happens(stock, server, actions):
    ids = [uuid.uuid4() for _ in range(3)]
    for action, number, wanted in actions:
        try:
            if action == "hold":
                stock.hold(ids[number], wanted, 60)
            elif action == "expire":
                server.execute(
                    "update reservations set expires_at = now() - interval '1 s' where id = %s",
                    "products",
                    (str(ids[number]),),
                )
                stock.expire()
            else:
                getattr(stock, action)(ids[number])
        except ProblemError as error:
            assert error.status in (404, 409, 422), error
    try:
        assert books_balance(server)
    finally:
        for reservation in ids:
            server.execute(
                "update reservations set status = 'held' where id = %s and status = 'confirmed'",
                "products",
                (str(reservation),),
            )
            stock.release(reservation)


def test_migrations_lead_to_the_models(products_database):
    assert drift(products_database, "products", Base.metadata) == []


def test_the_kept_document_is_current(client):
    check(client, "products")
