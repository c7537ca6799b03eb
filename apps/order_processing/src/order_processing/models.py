"""Tables of order-processing."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    MetaData,
    Text,
    Uuid,
    false,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tandem_common.events.tables import add_consumed, add_outbox

PAYING = "paying"
"""Somebody may be asking the provider for its payment just now."""
PAID = "paid"
PACKED = "packed"
SHIPPED = "shipped"
REJECTED = "rejected"
CANCELLED = "cancelled"
STATES = (PAYING, PAID, PACKED, SHIPPED, REJECTED, CANCELLED)
CHECK = f"state in ({', '.join(repr(state) for state in STATES)})"


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        }
    )


add_outbox(Base.metadata)
add_consumed(Base.metadata)


class Order(Base):
    """How far an order is."""

    __tablename__ = "orders"
    __table_args__ = (CheckConstraint(CHECK, name="state"),)

    order_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    unwanted: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """Cancelled while it was being paid: whatever becomes of the payment, it does not go on."""
    changed_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )


class Payment(Base):
    """An order's payment, and its refund if the order was cancelled later."""

    __tablename__ = "payments"

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    provider_id: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    paid_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    refund_id: Mapped[str | None] = mapped_column(Text)


class Shipment(Base):
    """An order's parcel, and when it was called back if the order was cancelled later."""

    __tablename__ = "shipments"

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    tracking: Mapped[str] = mapped_column(Text)
    shipped_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    recalled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
