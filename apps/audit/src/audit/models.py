"""Tables of the audit service."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Index, MetaData, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tandem_common.events.tables import add_consumed


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        }
    )


add_consumed(Base.metadata)


class Recorded(Base):
    """An event. A trigger refuses to change it, and to delete it before its time (migration 0001)."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_at_id_idx", "at", "id"),
        Index("events_type_at_id_idx", "type", "at", "id"),
        Index("events_user_id_at_id_idx", "user_id", "at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    """Of the event itself."""
    type: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    subject: Mapped[str] = mapped_column(Text)
    """What it happened to: an account, an order."""
    user_id: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    """Whose it is, if anybody's."""
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    """When it happened, by the clock of who told it."""
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    request_id: Mapped[str | None] = mapped_column(Text)
    """Of the request that caused it."""
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
