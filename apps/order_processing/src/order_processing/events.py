"""What order-processing tells others, in its outbox, and what it is told.

Amounts are in the currency's smallest unit. Each event has all that its consumers need.
"""

import uuid
from typing import ClassVar, Literal

from pydantic import BaseModel, Field
from tandem_common.events import EventData

Amount = Field(ge=0, description="Of the whole order, in the currency's smallest unit")
Currency = Field(min_length=3, max_length=3)
Reason = Literal["sold_out", "payment_refused"]


class Item(BaseModel):
    """A product of the order."""

    product_id: int
    quantity: int = Field(ge=1)
    name: str
    amount: int = Field(ge=0, description="Price of one")
    currency: str = Currency


class OrderPaid(EventData):
    """The order's stock is sold and its payment was accepted."""

    type: ClassVar[str] = "order.paid"
    version: ClassVar[int] = 1

    order_id: uuid.UUID
    user_id: uuid.UUID
    items: list[Item] = Field(min_length=1)
    amount: int = Amount
    currency: str = Currency
    payment_id: str = Field(min_length=1)


class OrderPacked(EventData):
    """The order is packed."""

    type: ClassVar[str] = "order.packed"
    version: ClassVar[int] = 1

    order_id: uuid.UUID
    user_id: uuid.UUID
    amount: int = Amount
    currency: str = Currency


class OrderShipped(EventData):
    """The order's parcel is on its way."""

    type: ClassVar[str] = "order.shipped"
    version: ClassVar[int] = 1

    order_id: uuid.UUID
    user_id: uuid.UUID
    amount: int = Amount
    currency: str = Currency
    tracking: str = Field(min_length=1)


class OrderRejected(EventData):
    """The order can't be had: its stock was gone, or its payment was refused. Its stock is given back."""

    type: ClassVar[str] = "order.rejected"
    version: ClassVar[int] = 1

    order_id: uuid.UUID
    user_id: uuid.UUID
    amount: int = Amount
    currency: str = Currency
    reason: Reason


class Created(BaseModel):
    """order.created, as far as it is needed here."""

    order_id: uuid.UUID
    user_id: uuid.UUID
    reservation_id: uuid.UUID
    items: list[Item] = Field(min_length=1)
    amount: int = Amount
    currency: str = Currency


class Cancelled(BaseModel):
    """order.cancelled, as far as it is needed here."""

    order_id: uuid.UUID
    reservation_id: uuid.UUID


class Step(BaseModel):
    """order.paid and order.packed, as far as the next step needs them."""

    order_id: uuid.UUID
    user_id: uuid.UUID
    amount: int = Amount
    currency: str = Currency
