"""HTTP operations of the orders service."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from tandem_common.api import Api, Header
from tandem_common.fields import Id, Input, Money, Output, PageQuery, no_control_characters
from tandem_common.logs import about
from tandem_common.tokens import Claims, Verifier

from orders.cancelling import Cancelling
from orders.carts import Carts
from orders.checkout import Checkout, Request
from orders.history import History
from orders.models import PENDING, PLACED, CartItem, Order

MAX_QUANTITY = 1000
Note = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(no_control_characters)
]
KEY = Header(
    "Idempotency-Key",
    "Chosen by the client: new for each order, the same when a request is repeated (a UUID, say)",
    max_length=255,
)


class CartChange(Input):
    """How many of a product the cart is to hold."""

    product_id: Id
    quantity: int = Field(
        ge=0, le=MAX_QUANTITY, description="The new quantity, not an addition; 0 takes it out"
    )


class CartLine(Output):
    """A product in the cart."""

    product_id: int
    quantity: int


class Cart(Output):
    """The cart, by product id."""

    items: list[CartLine]

    @classmethod
    def of(cls, rows: Sequence[CartItem]) -> "Cart":
        """From its rows."""
        return cls(items=[CartLine(product_id=row.product_id, quantity=row.quantity) for row in rows])


class CheckoutBody(Input):
    """What goes with the order."""

    note: Note | None = Field(default=None, description="For the shop")


class OrderLine(Output):
    """A product of an order, with its name and price at checkout."""

    product_id: int
    quantity: int
    name: str
    price: Money


Status = Literal["placed", "paid", "packed", "shipped", "rejected", "cancelled"]


class OrderView(Output):
    """An order."""

    id: uuid.UUID
    status: Status
    reason: str | None = Field(description="Why it was rejected: sold_out or payment_refused")
    tracking: str | None = Field(description="Number of the parcel, once it is shipped")
    items: list[OrderLine]
    total: Money
    note: str | None
    created_at: datetime

    @classmethod
    def of(cls, order: Order) -> "OrderView":
        """From its rows."""
        # What an instance of the release before events is just making is about to be placed.
        status = PLACED if order.status == PENDING else order.status
        return cls._shown(order, status=status, reason=order.reason, tracking=order.tracking)

    @classmethod
    def placed(cls, order: Order) -> "OrderView":
        """As it was acknowledged, whatever became of it: a repeated checkout gets the same answer."""
        return cls._shown(order, status=PLACED, reason=None, tracking=None)

    @classmethod
    def _shown(cls, order: Order, **state: str | None) -> "OrderView":
        items = [
            OrderLine(
                product_id=item.product_id,
                quantity=item.quantity,
                name=item.name,
                price=Money(amount=item.amount, currency=item.currency),
            )
            for item in order.items
        ]
        total = Money(amount=order.amount, currency=order.currency)
        shown = {
            "id": order.id,
            "items": items,
            "total": total,
            "note": order.note,
            "created_at": order.created_at,
        }
        return cls.model_validate({**shown, **state})


class OrderPage(Output):
    """A page of orders, newest first."""

    items: list[OrderView]
    page: int
    size: int
    total: int


def build(
    carts: Carts, checkout: Checkout, cancelling: Cancelling, history: History, verifier: Verifier
) -> Api:
    """The service's operations."""
    api = Api("Orders", "/orders", "Carts and orders of the shop.", verifier)
    _declare_cart(api, carts)
    _declare_checkout(api, checkout)
    _declare_orders(api, cancelling, history)
    return api


def _declare_cart(api: Api, carts: Carts) -> None:
    @api.operation("GET", "/cart", "The cart", token=True, answers={200: Cart})
    def get_cart(claims: Claims) -> Cart:
        return Cart.of(carts.get(claims.user_id))

    @api.operation(
        "POST", "/cart", "Set a quantity", token=True, body=CartChange, answers={200: Cart}, problems=[409]
    )
    def change_cart(claims: Claims, body: CartChange) -> Cart:
        """Sets the quantity of one product, so that a repeated request changes nothing."""
        return Cart.of(carts.put(claims, body.product_id, body.quantity))


def _declare_checkout(api: Api, checkout: Checkout) -> None:
    @api.operation(
        "POST",
        "/orders/checkout",
        "Order what is in the cart",
        token=True,
        header=KEY,
        body=CheckoutBody,
        body_required=False,
        answers={201: OrderView},
        problems=[409, 422],
    )
    def check_out(claims: Claims, header: str, body: CheckoutBody) -> OrderView:
        """The same key again gives the same answer and never a second order, also after an answer 503.

        The answer is the order as it was placed; `GET /orders` has its present status.
        """
        order = checkout.order(Request(claims, header, body.note))
        about(order_id=order.id)
        return OrderView.placed(order)


def _declare_orders(api: Api, cancelling: Cancelling, history: History) -> None:
    @api.operation(
        "POST",
        "/orders/<uuid:order_id>/cancel",
        "Cancel an order",
        token=True,
        answers={200: OrderView},
        problems=[404, 409],
    )
    def cancel(claims: Claims, order_id: uuid.UUID) -> OrderView:
        """While it is placed and not paid. May be repeated; 409 `too-late` says how far the order is."""
        return OrderView.of(cancelling.cancel(claims.user_id, order_id))

    @api.operation("GET", "/orders", "Past orders", token=True, query=PageQuery, answers={200: OrderPage})
    def list_orders(claims: Claims, query: PageQuery) -> OrderPage:
        orders, total = history.page(claims.user_id, query.offset, query.size)
        items = [OrderView.of(order) for order in orders]
        return OrderPage(items=items, page=query.page, size=query.size, total=total)
