"""Command line: order-processing migrate, relay, consume, dead-letters."""

from tandem_common.calls import Service
from tandem_common.commands import run
from tandem_common.database import Database
from tandem_common.events import Handlers
from tandem_common.settings import BrokerSettings

from order_processing.products import Products
from order_processing.provider import Provider
from order_processing.settings import ProcessingSettings
from order_processing.steps import Steps


def main() -> int:
    """Run the command that was asked for."""
    return run("order_processing", outbox=True, handlers=handlers)


def handlers(_settings: BrokerSettings) -> Handlers:
    """The handler of each event, over the services and the provider of the environment.

    One message is at work at a time, so this second pool takes one connection more, not twice as many.
    """
    settings = ProcessingSettings.load()
    products = Products(Service("products", settings.products_url))
    provider = Provider(settings.payment_url, settings.payment_seconds)
    return Steps(Database(settings), products, provider).handlers()
