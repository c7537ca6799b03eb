"""order-processing over a real database, a real products service and the lab's payment provider."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import products.application
import pytest
from order_processing.products import Products
from order_processing.provider import Provider
from order_processing.steps import Steps
from products.samples import seed
from products.settings import ProductsSettings
from products.stock import Stock
from support.apps import empty
from support.postgres import Server
from support.services import served
from support.shopflow import Flow
from support.world import Payments, payments
from tandem_common.calls import Service
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Payments]:
    with payments(tmp_path) as running:
        yield running


@pytest.fixture
def stock(products_database: Server, products_settings: dict[str, Any]) -> Iterator[tuple[Stock, str]]:
    """The stock, and where the products service is."""
    settings = ProductsSettings(**products_settings)
    seed(settings)
    application = products.application.create_app(settings)
    with served(application) as url:
        yield Stock(application.extensions["database"]), url
    empty(products_database, "products")


@pytest.fixture
def flow(
    order_processing_database: Server,
    order_processing_settings: dict[str, Any],
    stock: tuple[Stock, str],
    provider: Payments,
) -> Iterator[Flow]:
    database = Database(DatabaseSettings(**order_processing_settings))
    held, url = stock
    steps = Steps(database, Products(Service("products", url)), Provider(provider.url, 0.5))
    yield Flow(order_processing_database, database, steps, held, provider)
    database.close()
    empty(order_processing_database, "order_processing")


@pytest.fixture
def order(flow: Flow) -> dict[str, Any]:
    """order.created, with its stock held."""
    return flow.order(uuid.uuid4())
