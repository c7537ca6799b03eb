"""Command line: products migrate, seed, expire."""

import structlog
from tandem_common.commands import run
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from products.samples import seed
from products.stock import Stock

log = structlog.get_logger(__name__)


def main() -> int:
    """Run the command that was asked for."""
    return run(
        "products",
        {
            "seed": ("add the sample catalogue where it is missing", seed),
            "expire": ("give back the stock of reservations that nobody confirmed in time", expire),
        },
    )


def expire(settings: DatabaseSettings) -> None:
    """Expire all overdue reservations."""
    stock = Stock(Database(settings))
    total = 0
    while count := stock.expire():
        total += count
    log.info("reservations expired", count=total)
