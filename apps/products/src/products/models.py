"""Tables of the products service.

A product's `available` is what nobody has reserved. For each product, at any time,
available + held items + confirmed items = what was ever put in stock.
"""

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
    Uuid,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tandem_common.events.tables import add_consumed, add_outbox

HELD = "held"
CONFIRMED = "confirmed"
RELEASED = "released"
"""Given back; a repeated checkout may hold it again, and a late confirmation takes its stock again."""
RETURNED = "returned"
"""Given back for good: its order was rejected or cancelled."""
CATEGORIES = ("coffee", "tea", "kitchen", "home", "stationery", "travel", "leisure", "other")
PICTURES = ("cup", "teapot", "pan", "blanket", "lamp", "pen", "bag", "bicycle", "game", "record", "box")
"""Names of pictures that the shop's pages have; several products share one."""
OTHER = "other"
"""Category of a product that nobody has put into one."""


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


class Product(Base):
    """Something to buy."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available"),
        CheckConstraint("amount >= 0", name="amount"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sku: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text, server_default=OTHER)
    """One of CATEGORIES."""
    picture: Mapped[str] = mapped_column(Text, server_default="box")
    """One of PICTURES."""
    amount: Mapped[int] = mapped_column(BigInteger)
    """Price of one, in the currency's smallest unit."""
    currency: Mapped[str] = mapped_column(Text)
    available: Mapped[int] = mapped_column(Integer)


class Reservation(Base):
    """Stock set aside for one buyer."""

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint("status in ('held', 'confirmed', 'released', 'returned')", name="status"),
        Index("reservations_held_idx", "expires_at", postgresql_where="status = 'held'"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    status: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ReservationItem(Base):
    """One product of a reservation, with the name and price at that moment."""

    __tablename__ = "reservation_items"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    reservation_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("reservations.id", ondelete="CASCADE"), primary_key=True
    )
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)


add_outbox(Base.metadata)
add_consumed(Base.metadata)
