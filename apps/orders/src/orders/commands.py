"""Command line: orders migrate, settle."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from tandem_common.calls import Service
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.problems import Conflict
from tandem_common.settings import DatabaseSettings

from orders.checkout import Checkout
from orders.models import PENDING, Order
from orders.products import Products
from orders.settings import OrdersDatabaseSettings

log = structlog.get_logger(__name__)
OLD = timedelta(minutes=1)
"""Younger orders may still be at work in a request."""


def main() -> int:
    """Run the command that was asked for."""
    return run("orders", {"settle": Command("finish orders whose buyers went away half-way", settle)})


def settle(_settings: DatabaseSettings) -> None:
    """Confirm or cancel every old pending order."""
    settings = OrdersDatabaseSettings.load()
    database = Database(settings)
    checkout = Checkout(
        database, Products(Service("products", settings.products_url)), settings.reservation_seconds
    )

    def work(session: Session) -> list[Order]:
        old = Order.status == PENDING, Order.created_at < datetime.now(UTC) - OLD
        return list(session.scalars(select(Order).where(*old).order_by(Order.created_at)))

    placed = cancelled = 0
    for order in database.transaction(work):
        try:
            checkout.finish(order)
            placed += 1
        except Conflict:
            cancelled += 1
    log.info("orders settled", placed=placed, cancelled=cancelled)
