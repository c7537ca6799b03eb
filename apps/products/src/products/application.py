"""The products application."""

from flask import Flask
from tandem_common.application import create_application
from tandem_common.cache import Store
from tandem_common.database import Database
from tandem_common.metrics import Metrics

from products import views
from products.catalogue import Catalogue
from products.readmodel import Copies, ReadModel
from products.settings import ProductsSettings
from products.stock import Stock


def create_app(settings: ProductsSettings | None = None) -> Flask:
    """The application; connects to nothing yet."""
    settings = settings or ProductsSettings.load()
    metrics = Metrics()
    database = Database(settings, metrics.registry)
    copies = Copies.of(Store(settings, metrics.registry), settings.catalogue_seconds)
    api = views.build(ReadModel(Catalogue(database), copies), Stock(database))
    return create_application("products", settings, api, metrics=metrics, database=database)
