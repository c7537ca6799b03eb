"""Command line: orders migrate, relay, consume, dead-letters, settle, expire."""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from orders import carts
from orders.checkout import announce
from orders.events import HANDLERS
from orders.metrics import METRICS
from orders.models import Order

log = structlog.get_logger(__name__)
OLD = timedelta(minutes=1)
"""Younger orders may still be at work in a request of the release before events."""
SETTLE_AT_ONCE = 100
UNUSED = timedelta(days=30)


def main() -> int:
    """Run the command that was asked for."""
    commands = {
        "settle": Command("send what the release before events has placed on its way", settle),
        "expire": Command("empty carts that nobody used for thirty days", expire),
    }
    return run("orders", commands, outbox=True, handlers=HANDLERS, metrics=METRICS)


def settle(settings: DatabaseSettings) -> None:
    """Announce every order that was not, so that order-processing takes it up."""
    database = Database(settings)

    def work(session: Session) -> int:
        old = Order.announced_at.is_(None), Order.created_at < datetime.now(UTC) - OLD
        statement = select(Order).where(*old).order_by(Order.created_at).limit(SETTLE_AT_ONCE)
        orders = session.scalars(statement.with_for_update(skip_locked=True)).all()
        for order in orders:
            announce(session, order)
        return len(orders)

    total = 0
    while count := database.transaction(work):
        total += count
    log.info("orders settled", count=total)


def expire(settings: DatabaseSettings) -> None:
    """Empty carts that nobody used."""
    database = Database(settings)
    total = 0
    while count := carts.expire(database, UNUSED):
        total += count
    log.info("carts expired", lines=total)
