"""The orders application."""

from flask import Flask
from tandem_common.application import create_application
from tandem_common.calls import Service
from tandem_common.database import Database
from tandem_common.metrics import Metrics
from tandem_common.tokens import Verifier, read_public_keys

from orders import views
from orders.cancelling import Cancelling
from orders.carts import Carts
from orders.checkout import Checkout
from orders.history import History
from orders.metrics import METRICS
from orders.products import Products
from orders.settings import OrdersSettings


def create_app(settings: OrdersSettings | None = None) -> Flask:
    """The application; connects to nothing yet."""
    settings = settings or OrdersSettings.load()
    if settings.jwt_public is None:
        raise ValueError("orders needs the credential jwt_public: it could verify no token")
    keys = read_public_keys(settings.jwt_public.get_secret_value())
    verifier = Verifier(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    metrics = Metrics()
    for counter in METRICS:
        metrics.registry.register(counter)
    database = Database(settings, metrics.registry)
    products = Products(Service("products", settings.products_url))
    api = views.build(
        Carts(database, products),
        Checkout(database, products, settings.reservation_seconds),
        Cancelling(database),
        History(database),
        verifier,
    )
    return create_application("orders", settings, api, metrics=metrics, database=database)
