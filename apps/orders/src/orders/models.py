"""Tables of the orders service."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tandem_common.events.tables import add_consumed, add_outbox

PLACED = "placed"
"""Acknowledged to the buyer; its stock is set aside."""
PAID = "paid"
PACKED = "packed"
SHIPPED = "shipped"
REJECTED = "rejected"
"""Its stock was gone, or its payment was refused."""
CANCELLED = "cancelled"
"""By the buyer, before it was paid."""
PENDING = "pending"
"""Of the release before the first one with events, whose instances may still run: not acknowledged yet."""
STATUSES = (PLACED, PAID, PACKED, SHIPPED, REJECTED, CANCELLED)
CHECK = f"status in ({', '.join(repr(status) for status in (*STATUSES, PENDING))})"


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        }
    )


add_outbox(Base.metadata)
add_consumed(Base.metadata)


class CartItem(Base):
    """How many of a product a user wants."""

    __tablename__ = "cart_items"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    user_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    product_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    quantity: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Order(Base):
    """A checkout that was committed, and the key under which its buyer may ask for it again."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key", name="orders_user_id_idempotency_key_key"),
        CheckConstraint(CHECK, name="status"),
        Index("orders_user_id_created_at_id_idx", "user_id", "created_at", "id"),
        Index("orders_unannounced_idx", "created_at", postgresql_where="announced_at is null"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    idempotency_key: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    """Of the request's body: the same key with another body is a mistake of the client."""
    reservation_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was rejected: sold_out or payment_refused."""
    tracking: Mapped[str | None] = mapped_column(Text)
    """Number of its parcel."""
    note: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    announced_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When order.created was put into the outbox. Without it the order was made by the release before events."""
    items: Mapped[list["OrderItem"]] = relationship(order_by="OrderItem.product_id", lazy="selectin")


class OrderItem(Base):
    """A product of an order, with its name and price at checkout."""

    __tablename__ = "order_items"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    order_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    quantity: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
