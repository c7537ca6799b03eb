"""The sample catalogue (samples.csv)."""

import csv
from importlib import resources

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from products.events import publish_changed
from products.models import OTHER, Product

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
    """Add the samples that are not there yet; those that are get a category and a picture if they have none."""
    samples = read()

    def work(session: Session) -> tuple[int, int]:
        statement = insert(Product).values(samples).on_conflict_do_nothing().returning(Product.id)
        added = session.scalars(statement).all()
        described = _describe(session, samples)
        session.flush()
        for product in session.scalars(select(Product).where(Product.id.in_({*added, *described}))):
            publish_changed(session, product)
        return len(added), len(described)

    added, described = Database(settings).transaction(work, wait=30)
    log.info("catalogue seeded", added=added, described=described)


def _describe(session: Session, samples: list[dict[str, object]]) -> list[int]:
    """Sort products in that are older than categories; their ids."""
    known = {sample["sku"]: sample for sample in samples}
    old = session.scalars(select(Product).where(Product.category == OTHER, Product.sku.in_(known))).all()
    for product in old:
        product.category = str(known[product.sku]["category"])
        product.picture = str(known[product.sku]["picture"])
    return [product.id for product in old]
