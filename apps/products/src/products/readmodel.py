"""Copies of the catalogue, one set per site, in Valkey. Only for showing: decisions are the database's."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from tandem_common.cache import Region, Store

from products.catalogue import Catalogue, Item

Page = tuple[list[Item], int]


@dataclass(frozen=True)
class Copies:
    """What is kept. Everything at once counts no more when a product changes: pages of searches can't be named."""

    pages: Region[Page]
    products: Region[Item | None]

    @classmethod
    def of(cls, store: Store, seconds: float) -> "Copies":
        """In this site's Valkey."""
        return cls(
            Region(store, "pages:1", TypeAdapter(Page), seconds=seconds),
            Region(store, "products:1", TypeAdapter(Item | None), seconds=seconds),
        )

    def forget(self) -> bool:
        """A product has changed; whether Valkey could be told. If not, copies end with their time."""
        return all([self.pages.invalidate(), self.products.invalidate()])


@dataclass(frozen=True)
class ReadModel:
    """The catalogue, read through the copies."""

    catalogue: Catalogue
    copies: Copies

    def page(self, text: str | None, offset: int, size: int) -> tuple[Sequence[Item], int]:
        """As of the catalogue, perhaps some seconds old."""

        def read() -> Page:
            found, total = self.catalogue.page(text, offset, size)
            return list(found), total

        return self.copies.pages.get(f"{offset}:{size}:{text or ''}", read)

    def get(self, product_id: int) -> Item | None:
        """As of the catalogue, perhaps some seconds old. That there is none is not kept: ids are without number."""
        return self.copies.products.get(
            str(product_id), lambda: self.catalogue.get(product_id), keep=lambda item: item is not None
        )
