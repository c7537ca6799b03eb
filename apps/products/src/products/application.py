"""The products application."""

from flask import Flask
from tandem_common.application import create_application
from tandem_common.database import Database
from tandem_common.metrics import Metrics
from tandem_common.settings import DatabaseSettings

from products import views
from products.catalogue import Catalogue
from products.stock import Stock


def create_app(settings: DatabaseSettings | None = None) -> Flask:
    """The application; connects to nothing yet."""
    settings = settings or DatabaseSettings.load()
    metrics = Metrics()
    database = Database(settings, metrics.registry)
    api = views.build(Catalogue(database), Stock(database))
    return create_application("products", settings, api, metrics=metrics, database=database)
