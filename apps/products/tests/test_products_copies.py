"""The catalogue read through copies in Valkey, kept fresh by events; what is decided is decided in the database."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from products.application import create_app
from products.catalogue import Catalogue
from products.changes import Change, apply
from products.events import ProductChanged, Told, of_copies
from products.readmodel import Copies
from products.samples import seed
from products.settings import ProductsSettings
from prometheus_client import CollectorRegistry
from support.apps import empty
from support.cache import CacheServer
from support.postgres import Server
from support.schemas import compare_schema, samples
from tandem_common.cache import Store
from tandem_common.database import Database
from tandem_common.events import Event
from tandem_common.events.model import read as read_event

SKU = "T-1040"
PAGES = [
    "/products/?size=5",
    "/products/?size=5&page=2",
    "/products/?q=tea",
    "/products/?q=%25_/",
    "/products/40",
]


@pytest.fixture
def settings(
    products_database: Server, products_settings: dict[str, Any], cache_server: CacheServer
) -> Iterator[ProductsSettings]:
    """With Valkey; copies live longer than a test."""
    settings = ProductsSettings(
        **products_settings, **cache_server.settings("products"), catalogue_seconds=60
    )
    seed(settings)
    products_database.execute("delete from outbox", "products")
    yield settings
    empty(products_database, "products")


@pytest.fixture
def make(settings: ProductsSettings) -> Iterator[Callable[..., Flask]]:
    """Instances of the service."""
    made: list[Flask] = []

    def one(**more: Any) -> Flask:
        made.append(create_app(settings.model_copy(update=more)))
        return made[-1]

    yield one
    for app in made:
        app.extensions["database"].close()


@pytest.fixture
def client(make: Callable[..., Flask]) -> FlaskClient:
    return make().test_client()


@pytest.fixture
def consume(settings: ProductsSettings) -> Callable[[Event], None]:
    """What the site's consumer does with an event."""
    copies = Copies.of(Store(settings, CollectorRegistry()), settings.catalogue_seconds)
    handler = of_copies(copies)["product.changed"]

    def work(event: Event) -> None:
        data = handler.read(event)
        assert handler.prepare is not None
        handler.prepare(event, data)

    return work


def events(server: Server) -> list[Event]:
    """What is in the outbox."""
    return [
        read_event(body.encode())
        for (body,) in server.execute("select body from outbox order by id", "products")
    ]


def metric(client: FlaskClient, name: str) -> float:
    """Of the instance; the sum over labels that are not named."""
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(line.split()[-1]) for line in lines)


def test_copies_are_the_same_answers(make: Callable[..., Flask]) -> None:
    without = make(valkey_host=None).test_client()
    first, second = make().test_client(), make().test_client()
    for path in PAGES:
        answers = [client.get(path) for client in (without, first, second, first)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.data for answer in answers}) == 1
        assert len({answer.headers["ETag"] for answer in answers}) == 1
        assert len({answer.headers["Cache-Control"] for answer in answers}) == 1
        again = second.get(path, headers={"If-None-Match": answers[0].headers["ETag"]})
        assert again.status_code == 304
    assert metric(first, 'cache_reads_total{outcome="miss"') == len(PAGES)
    assert metric(second, 'cache_reads_total{outcome="miss"') == 0
    assert metric(second, 'cache_reads_total{outcome="hit"') == 2 * len(PAGES)


def test_a_read_that_is_kept_asks_no_database(
    client: FlaskClient, products_database: Server, make: Callable[..., Flask]
) -> None:
    before = client.get("/products/40").json
    products_database.execute("update products set name = 'x' where id = 40", "products")
    assert make().test_client().get("/products/40").json == before
    short = make(catalogue_seconds=0.1).test_client()
    short.get("/products/39")  # the kept copy of 40 has the time of who stored it
    products_database.execute("update products set name = 'y' where id = 39", "products")
    threading.Event().wait(0.2)
    assert short.get("/products/39").json["name"] == "y"


def test_a_change_reaches_all_instances_of_the_site_by_its_event(
    make: Callable[..., Flask],
    settings: ProductsSettings,
    products_database: Server,
    consume: Callable[[Event], None],
) -> None:
    clients = [make().test_client() for _ in range(2)]
    paths = ["/products/40", "/products/?size=100", "/products/?q=1040"]
    for client in clients:
        for path in paths:
            assert client.get(path).status_code == 200
    apply(Database(settings), SKU, Change(price=123, name="Turntable"))
    (event,) = events(products_database)
    assert (event.type, event.subject) == ("product.changed", "40")
    assert event.data == {
        "product_id": 40,
        "sku": SKU,
        "name": "Turntable",
        "category": event.data["category"],
        "amount": 123,
        "currency": "RUB",
    }
    consume(event)
    consume(event)  # a repetition
    for client in clients:
        for path in paths:
            assert "Turntable" in client.get(path).text


def test_what_changes_is_told_once_and_a_look_is_not(
    settings: ProductsSettings, products_database: Server
) -> None:
    database = Database(settings)
    apply(database, SKU, Change())
    assert events(products_database) == []
    apply(database, SKU, Change.of({"stock": "+3"}))
    assert [event.subject for event in events(products_database)] == ["40"]
    database.close()


def test_samples_that_are_added_are_told(settings: ProductsSettings, products_database: Server) -> None:
    products_database.execute("delete from products where id in (3, 4)", "products")
    seed(settings)
    assert sorted(event.subject for event in events(products_database)) == ["3", "4"]


def test_sales_are_decided_in_the_database_and_told_to_nobody(
    client: FlaskClient, products_database: Server
) -> None:
    assert client.get("/products/40").json["available"] == 5
    path = f"/internal/reservations/{uuid.uuid4()}"
    assert client.put(path, json={"items": [{"product_id": 40, "quantity": 5}]}).status_code == 200
    assert client.get("/products/40").json["available"] == 5  # a copy, for as long as copies live
    refused = client.put(
        f"/internal/reservations/{uuid.uuid4()}", json={"items": [{"product_id": 40, "quantity": 1}]}
    )
    assert refused.status_code == 409
    assert refused.json["available"] == 0
    assert events(products_database) == []


def test_that_there_is_no_product_is_not_kept(client: FlaskClient, products_database: Server) -> None:
    assert client.get("/products/4711").status_code == 404
    columns = "sku, name, description, category, picture, amount, currency, available"
    products_database.execute(
        f"insert into products (id, {columns}) select 4711, 'X-1', name, description, category, picture,"
        " amount, currency, available from products where id = 1",
        "products",
    )
    assert client.get("/products/4711").json["sku"] == "X-1"


def test_a_stampede_of_cold_readers_makes_one_query(
    make: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, original = [], Catalogue.page

    def slowly(self: Catalogue, *arguments: Any) -> Any:
        queries.append(arguments)
        threading.Event().wait(0.2)
        return original(self, *arguments)

    monkeypatch.setattr(Catalogue, "page", slowly)
    apps, barrier = [make() for _ in range(2)], threading.Barrier(12)

    def read(number: int) -> bytes:
        barrier.wait()
        answer = apps[number % 2].test_client().get("/products/?size=7")
        assert answer.status_code == 200
        return answer.data

    with ThreadPoolExecutor(12) as pool:
        assert len(set(pool.map(read, range(12)))) == 1
    assert len(queries) == 1


def test_readers_notice_nothing_when_valkey_dies(
    client: FlaskClient, cache_server: CacheServer, consume: Callable[[Event], None]
) -> None:
    expected = {path: client.get(path).data for path in PAGES}
    cache_server.stop()
    try:
        for _ in range(3):
            for path in PAGES:
                answer = client.get(path)
                assert (answer.status_code, answer.data) == (200, expected[path])
        assert client.get("/health/live").status_code == 200
        assert metric(client, "cache_usable") == 0
        assert metric(client, "cache_failures_total") >= 3
        consume(_event())  # ends, and is not tried again
    finally:
        cache_server.start()


def _event() -> Event:
    data = {"product_id": 40, "sku": SKU, "name": "x", "category": "tea", "amount": 1, "currency": "RUB"}
    return Event(
        id=uuid.uuid4(),
        type="product.changed",
        version=1,
        subject="40",
        time=datetime.now(UTC),
        request_id=None,
        data=data,
    )


def test_the_kept_schemas_are_current() -> None:
    compare_schema("products", ProductChanged)


@given(samples("products", "product.changed"))
def test_the_consumer_takes_whatever_the_producer_may_send(data: dict[str, Any]) -> None:
    assert Told.model_validate_json(json.dumps(data)).product_id == data["product_id"]
