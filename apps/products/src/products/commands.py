"""Command line: products migrate, seed, expire, set, relay, consume, dead-letters."""

import argparse

import structlog
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from products.changes import Change, apply
from products.events import handlers
from products.models import CATEGORIES, PICTURES
from products.samples import seed
from products.stock import Stock

log = structlog.get_logger(__name__)


def main() -> int:
    """Run the command that was asked for."""
    return run(
        "products",
        {
            "seed": Command("add the sample catalogue where it is missing", seed),
            "expire": Command("give back the stock of reservations that nobody confirmed in time", expire),
            "set": Command("change a product", change, _change_arguments),
        },
        outbox=True,
        handlers=handlers,
    )


def expire(settings: DatabaseSettings) -> None:
    """Expire all overdue reservations."""
    stock = Stock(Database(settings))
    total = 0
    while count := stock.expire():
        total += count
    log.info("reservations expired", count=total)


def _change_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sku", metavar="SKU", help="article number")
    parser.add_argument("--price", type=int, metavar="N", help="in the currency's smallest unit (kopecks)")
    parser.add_argument("--name", metavar="TEXT")
    parser.add_argument("--description", metavar="TEXT")
    parser.add_argument("--category", choices=CATEGORIES)
    parser.add_argument("--picture", choices=PICTURES)
    parser.add_argument("--stock", metavar="+N", help="pieces that came in; --stock=-N: that were taken out")


def change(
    settings: DatabaseSettings, *, sku: str, price: int | None, stock: str | None, **texts: str | None
) -> None:
    """Change a product and log what it is now."""
    given = {
        name: value for name, value in {**texts, "price": price, "stock": stock}.items() if value is not None
    }
    product = apply(Database(settings), sku, Change.of(given))
    log.info(
        "product changed",
        sku=product.sku,
        name=product.name,
        amount=product.amount,
        currency=product.currency,
        available=product.available,
        category=product.category,
        picture=product.picture,
    )
