"""HTTP operations of the products service.

Paths below /internal/ belong to no route of the edge: only services that name this one in `calls` get
there, through the mutually authenticated door of the host.
"""

import uuid
from datetime import datetime
from typing import Annotated, Any

from flask import Response
from pydantic import AfterValidator, Field, StringConstraints
from tandem_common.api import Api
from tandem_common.fields import MAX_ID, Id, Input, Money, Output, PageQuery, no_control_characters
from tandem_common.problems import InvalidInput, NotFound

from products.catalogue import Item
from products.models import CATEGORIES, PICTURES
from products.readmodel import ReadModel
from products.stock import Held, Stock

MAX_ITEMS = 100
Phrase = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(no_control_characters)
]
MAX_QUANTITY = 1000


class ProductQuery(PageQuery):
    """Which products."""

    q: Phrase | None = Field(
        default=None, description="Text that the name, description or article number contains"
    )


class ProductView(Output):
    """A product."""

    id: int
    sku: str
    name: str
    description: str
    category: str = Field(description=f"At present one of: {', '.join(CATEGORIES)}")
    picture: str = Field(description=f"Name of a picture, at present one of: {', '.join(PICTURES)}")
    price: Money
    available: int


class ProductPage(Output):
    """A page of products, by id."""

    items: list[ProductView]
    page: int
    size: int
    total: int


def members(item: Item) -> dict[str, Any]:
    """The members of a ProductView. A whole page of these is checked at once, which is cheaper than one by one."""
    return {
        "id": item.id,
        "sku": item.sku,
        "name": item.name,
        "description": item.description,
        "category": item.category,
        "picture": item.picture,
        "price": {"amount": item.amount, "currency": item.currency},
        "available": item.available,
    }


class WantedItem(Input):
    """How many of which product."""

    product_id: Id
    quantity: int = Field(ge=1, le=MAX_QUANTITY)


class Hold(Input):
    """What to set aside."""

    items: list[WantedItem] = Field(min_length=1, max_length=MAX_ITEMS)
    expires_in: int = Field(default=3600, ge=1, le=86_400, description="Seconds")


class ReservedItem(Output):
    """A product that is set aside, with its price at that moment."""

    product_id: int
    quantity: int
    name: str
    price: Money


class ReservationView(Output):
    """A reservation."""

    id: uuid.UUID
    status: str
    expires_at: datetime
    items: list[ReservedItem]

    @classmethod
    def of(cls, held: Held) -> "ReservationView":
        """From its rows."""
        items = [
            ReservedItem(
                product_id=item.product_id,
                quantity=item.quantity,
                name=item.name,
                price=Money(amount=item.amount, currency=item.currency),
            )
            for item in held.items
        ]
        row = held.reservation
        return cls(id=row.id, status=row.status, expires_at=row.expires_at, items=items)


def build(catalogue: ReadModel, stock: Stock) -> Api:
    """The service's operations."""
    api = Api("Products", "/products", "Catalogue and stock of the shop.")
    _declare_catalogue(api, catalogue)
    _declare_stock(api, stock)
    return api


def _declare_catalogue(api: Api, catalogue: ReadModel) -> None:
    @api.operation(
        "GET", "/products/", "List products", query=ProductQuery, cacheable=True, answers={200: ProductPage}
    )
    def list_products(query: ProductQuery) -> ProductPage:
        found, total = catalogue.page(query.q, query.offset, query.size)
        items = [members(item) for item in found]
        return ProductPage.model_validate(
            {"items": items, "page": query.page, "size": query.size, "total": total}
        )

    @api.operation(
        "GET",
        "/products/<int:product_id>",
        "One product",
        cacheable=True,
        answers={200: ProductView},
        problems=[404],
    )
    def get_product(product_id: int) -> ProductView:
        found = catalogue.get(product_id) if product_id <= MAX_ID else None
        if found is None:
            raise NotFound(f"There is no product {product_id}.")
        return ProductView.model_validate(members(found))


def _declare_stock(api: Api, stock: Stock) -> None:
    path = "/internal/reservations/<uuid:reservation_id>"

    @api.operation(
        "PUT", path, "Set stock aside", body=Hold, answers={200: ReservationView}, problems=[409], hidden=True
    )
    def hold(reservation_id: uuid.UUID, body: Hold) -> ReservationView:
        wanted = {item.product_id: item.quantity for item in body.items}
        if len(wanted) < len(body.items):
            raise InvalidInput.of("items", "name each product once")
        return ReservationView.of(stock.hold(reservation_id, wanted, body.expires_in))

    @api.operation(
        "POST", f"{path}/confirm", "Sell it", answers={200: ReservationView}, problems=[404, 409], hidden=True
    )
    def confirm(reservation_id: uuid.UUID) -> ReservationView:
        return ReservationView.of(stock.confirm(reservation_id))

    @api.operation(
        "POST", f"{path}/return", "Give it back for good", answers={204: None}, problems=[404], hidden=True
    )
    def take_back(reservation_id: uuid.UUID) -> Response:
        stock.take_back(reservation_id)
        return Response(status=204)

    @api.operation("DELETE", path, "Give it back", answers={204: None}, problems=[409], hidden=True)
    def release(reservation_id: uuid.UUID) -> Response:
        stock.release(reservation_id)
        return Response(status=204)
