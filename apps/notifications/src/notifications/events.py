"""Events as notifications needs them: whatever else they have is ignored."""

import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from notifications.texts import DEFAULT, known


class Registered(BaseModel):
    """user.registered."""

    user_id: uuid.UUID
    email: str = Field(min_length=1)
    name: str
    language: Annotated[str, AfterValidator(known)] = DEFAULT
    phone: str | None = None


class Step(BaseModel):
    """Any step of an order."""

    order_id: uuid.UUID
    user_id: uuid.UUID
    amount: int
    currency: str


class Item(BaseModel):
    """A product of an order."""

    quantity: int
    name: str
    amount: int
    currency: str


class Paid(Step):
    """order.paid."""

    items: list[Item]


class Shipped(Step):
    """order.shipped."""

    tracking: str


class Rejected(Step):
    """order.rejected."""

    reason: Literal["sold_out", "payment_refused"]
