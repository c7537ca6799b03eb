"""Reading the catalogue.

It is read more often than all else, so its statements are made once, take one round trip each, and fetch plain
tuples instead of mapped objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.orm import Session
from tandem_common.database import Database

from products.models import Product

TABLE = Product.__table__.c


class Item(NamedTuple):
    """A product as buyers see it; the fields are columns of Product."""

    id: int
    sku: str
    name: str
    description: str
    category: str
    picture: str
    amount: int
    currency: str
    available: int


ESCAPE = "/"
CONTAINS = or_(
    *(
        column.icontains(bindparam("text"), escape=ESCAPE)
        for column in (TABLE.name, TABLE.description, TABLE.sku)
    )
)


def _page(rows: Select[Any]) -> Select[Any]:
    """A page of `rows`, by id; each with the number of all of them as one more column."""
    total = rows.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()
    return rows.add_columns(total).order_by(TABLE.id).offset(bindparam("offset")).limit(bindparam("size"))


ALL = select(*(TABLE[column] for column in Item._fields))
MATCHING = ALL.where(CONTAINS)
PAGE_OF_ALL = _page(ALL)
PAGE_OF_MATCHING = _page(MATCHING)
ONE = ALL.where(TABLE.id == bindparam("id"))


@dataclass(frozen=True)
class Catalogue:
    """Products in the database, read from the nearest node: prices that count are those of a reservation."""

    database: Database

    def page(self, text: str | None, offset: int, size: int) -> tuple[Sequence[Item], int]:
        """Products with `text` in name, description or article number, by id; and how many there are."""
        statement = PAGE_OF_MATCHING if text else PAGE_OF_ALL
        given: dict[str, Any] = {"text": _escaped(text)} if text else {}

        def work(session: Session) -> tuple[Sequence[Item], int]:
            rows = session.execute(statement, {**given, "offset": offset, "size": size}).all()
            if rows or not offset:
                return [Item(*columns) for *columns, _ in rows], rows[0][-1] if rows else 0
            # Beyond the last page no row says how many there are; the first one does.
            first = session.execute(statement, {**given, "offset": 0, "size": 1}).first()
            return [], first[-1] if first else 0

        return self.database.read(work)

    def get(self, product_id: int) -> Item | None:
        """The product with this id."""
        row = self.database.read(lambda session: session.execute(ONE, {"id": product_id}).one_or_none())
        return Item(*row) if row else None


def _escaped(text: str) -> str:
    """The text as a LIKE pattern that means only itself."""
    for character in (ESCAPE, "%", "_"):
        text = text.replace(character, ESCAPE + character)
    return text
