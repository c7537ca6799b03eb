"""Reading the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session
from tandem_common.database import Database

from products.models import Product


@dataclass(frozen=True)
class Catalogue:
    """Products in the database, read from the nearest node: prices that count are those of a reservation."""

    database: Database

    def page(self, text: str | None, offset: int, size: int) -> tuple[Sequence[Product], int]:
        """Products with `text` in name, description or article number, by id; and how many there are."""

        def work(session: Session) -> tuple[Sequence[Product], int]:
            found = _matching(text)
            total = session.scalar(select(func.count()).select_from(found.subquery())) or 0
            items = session.scalars(found.order_by(Product.id).offset(offset).limit(size)).all()
            return items, total

        return self.database.read(work)

    def get(self, product_id: int) -> Product | None:
        """The product with this id."""
        return self.database.read(lambda session: session.get(Product, product_id))


def _matching(text: str | None) -> Select[Product]:
    statement = select(Product)
    if not text:
        return statement
    columns = (Product.name, Product.description, Product.sku)
    return statement.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
