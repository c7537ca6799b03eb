"""The sample catalogue (samples.csv)."""

import csv
from importlib import resources

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from products.models import Product

log = structlog.get_logger(__name__)
CURRENCY = "RUB"


def read() -> list[dict[str, object]]:
    """Rows of the products table."""
    with (resources.files("products") / "samples.csv").open(encoding="utf-8") as file:
        return [
            {
                **row,
                "id": int(row["id"]),
                "amount": int(row["amount"]),
                "available": int(row["available"]),
                "currency": CURRENCY,
            }
            for row in csv.DictReader(file)
        ]


def seed(settings: DatabaseSettings) -> None:
    """Add the samples that are not there yet; those that are keep their price and stock."""

    def work(session: Session) -> int:
        statement = insert(Product).values(read()).on_conflict_do_nothing().returning(Product.id)
        return len(session.scalars(statement).all())

    added = Database(settings).transaction(work, wait=30)
    log.info("catalogue seeded", added=added)
