"""Tables of the users service."""

import uuid
from datetime import datetime

from sqlalchemy import (
    Boolean,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tandem_common.events.tables import add_outbox
from tandem_common.tokens import ADMIN


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


class User(Base):
    """An account."""

    __tablename__ = "users"
    __table_args__ = (Index("users_not_announced_idx", "id", postgresql_where=text("not announced")),)

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    """Normalised (users.emails)."""
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    language: Mapped[str] = mapped_column(Text, server_default="en")
    """In which to write to its owner."""
    admin: Mapped[bool] = mapped_column(Boolean, server_default=false())
    announced: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """There is an event user.registered for it. Accounts that releases before events made have none."""

    @property
    def roles(self) -> frozenset[str]:
        """What its tokens say."""
        return roles(self.admin)


def roles(admin: bool) -> frozenset[str]:
    """Roles of an administrator, or of anybody else."""
    return frozenset({ADMIN} if admin else ())


class TokenFamily(Base):
    """The refresh tokens that follow from one login."""

    __tablename__ = "token_families"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    """When its youngest token expires."""


class RefreshToken(Base):
    """A refresh token that may still be used."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the token."""
    family_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("token_families.id", ondelete="CASCADE"), index=True
    )
    parent: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Digest of the token whose successor this is."""
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    spent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """End of the grace that began with its first use."""
    successor_used: Mapped[bool] = mapped_column(Boolean, server_default=false())
    """The client has received a successor."""

    def is_reused(self, now: datetime) -> bool:
        """Whether a use now means that somebody has a copy."""
        return self.successor_used and self.spent_at is not None and self.spent_at <= now
