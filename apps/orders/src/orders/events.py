"""What orders tells others, in its outbox, and what it is told."""

import uuid
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from tandem_common.events import Event, EventData, Handler, Reject

from orders import metrics
from orders.models import PACKED, PAID, REJECTED, SHIPPED, Order
from orders.states import after


class CreatedItem(BaseModel):
    """A product of the order, with its name and price at checkout."""

    product_id: int
    quantity: int = Field(ge=1)
    name: str
    amount: int = Field(ge=0, description="Price of one, in the currency's smallest unit")
    currency: str = Field(min_length=3, max_length=3)


class OrderCreated(EventData):
    """An order was placed; its stock is held, not sold yet."""

    type: ClassVar[str] = "order.created"
    version: ClassVar[int] = 1

    order_id: uuid.UUID
    user_id: uuid.UUID
    reservation_id: uuid.UUID
    items: list[CreatedItem] = Field(min_length=1)
    amount: int = Field(ge=0, description="Of the whole order, in the currency's smallest unit")
    currency: str = Field(min_length=3, max_length=3)
    created_at: datetime

    @classmethod
    def of(cls, order: Order) -> "OrderCreated":
        """From its rows."""
        items = [
            CreatedItem(
                product_id=item.product_id,
                quantity=item.quantity,
                name=item.name,
                amount=item.amount,
                currency=item.currency,
            )
            for item in order.items
        ]
        return cls(
            order_id=order.id,
            user_id=order.user_id,
            reservation_id=order.reservation_id,
            items=items,
            amount=order.amount,
            currency=order.currency,
            created_at=order.created_at,
        )


class OrderCancelled(EventData):
    """The buyer cancelled the order before it knew of a payment."""

    type: ClassVar[str] = "order.cancelled"
    version: ClassVar[int] = 1

    order_id: uuid.UUID
    user_id: uuid.UUID
    reservation_id: uuid.UUID
    amount: int = Field(ge=0)
    currency: str = Field(min_length=3, max_length=3)


class Told(BaseModel):
    """Any step of an order; whatever else the event has is not needed here."""

    order_id: uuid.UUID


class Rejected(Told):
    """Why it was rejected."""

    reason: Literal["sold_out", "payment_refused"]


class Shipped(Told):
    """The parcel."""

    tracking: str


def _move(session: Session, data: Told, status: str) -> Order | None:
    """The order, if this moves it on."""
    order = session.scalars(select(Order).where(Order.id == data.order_id).with_for_update()).one_or_none()
    if order is None:
        raise Reject(f"there is no order {data.order_id}")
    before = order.status
    order.status = after(before, status)
    if order.status == before:
        return None
    metrics.moved(session, order, before)
    return order


def _paid(session: Session, _event: Event, data: Told, _prepared: Any) -> None:
    _move(session, data, PAID)


def _packed(session: Session, _event: Event, data: Told, _prepared: Any) -> None:
    _move(session, data, PACKED)


def _shipped(session: Session, _event: Event, data: Shipped, _prepared: Any) -> None:
    if order := _move(session, data, SHIPPED):
        order.tracking = data.tracking


def _rejected(session: Session, _event: Event, data: Rejected, _prepared: Any) -> None:
    if order := _move(session, data, REJECTED):
        order.reason = data.reason


HANDLERS = {
    "order.paid": Handler(data=Told, apply=_paid),
    "order.packed": Handler(data=Told, apply=_packed),
    "order.shipped": Handler(data=Shipped, apply=_shipped),
    "order.rejected": Handler(data=Rejected, apply=_rejected),
}
