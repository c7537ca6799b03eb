"""Refresh tokens: opaque, kept as hashes only, replaced at every use.

A login starts a family of tokens. Each use of a token gives a successor in the same family. The used one counts on
for a short grace, because two tabs may have used it at once. A use after that means that somebody has a copy: the
family ends, and both have to log in again.

One thing looks alike and is not: an answer that was lost, perhaps with an outcome that nobody knew. Then no
successor was ever used. So a late use is granted as long as that is so, and withdraws the successors: if somebody
has one of them after all, its use ends the family.

Only the tokens that may still be used have a row. A token names its family, so that one without a row is known
for an old one.
"""

import base64
import hashlib
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import structlog
from sqlalchemy import ColumnElement, DateTime, delete, func, inspect, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database, make_durable

from users.models import Base, RefreshToken, TokenFamily, User, roles

log = structlog.get_logger(__name__)

FAMILY_BYTES = 16
SECRET_BYTES = 32
EXPIRE_AT_ONCE = 200
PLAIN = {"synchronize_session": False}
_TEXT = re.compile(r"[A-Za-z0-9_-]{64}")
_NOW = func.clock_timestamp(type_=DateTime(timezone=True))
"""The database's clock, which all instances share; not that of the transaction's start, which may have waited."""


@dataclass(frozen=True)
class Secret:
    """A token as its owner has it."""

    family: uuid.UUID
    text: str
    digest: bytes
    """SHA-256; enough for 256 random bits, which nobody can guess."""

    @classmethod
    def new(cls, family: uuid.UUID) -> Self:
        """One that did not exist before."""
        return cls._of(family.bytes + secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What a client sent; None if it can't be a token."""
        return cls._of(base64.urlsafe_b64decode(text)) if _TEXT.fullmatch(text) else None

    @classmethod
    def _of(cls, data: bytes) -> Self:
        family = uuid.UUID(bytes=data[:FAMILY_BYTES])
        return cls(family, base64.urlsafe_b64encode(data).decode(), hashlib.sha256(data).digest())


@dataclass(frozen=True)
class Renewal:
    """What a used token gave."""

    user_id: uuid.UUID
    roles: frozenset[str]
    """As they are now."""
    successor: str


class _Expired(Exception):
    """The token's lifetime is over; its family may have younger ones. Rolls back."""


@dataclass(frozen=True)
class RefreshTokens:
    """Refresh tokens in the database."""

    database: Database
    lifetime: timedelta
    """Of each token, from its issue."""
    grace: timedelta
    """For so long after its first use a token counts on."""

    def issue(self, user_id: uuid.UUID, also: Callable[[Session], None]) -> str:
        """The first token of a new family; `also` runs in the same transaction, perhaps several times."""
        token = Secret.new(uuid.uuid4())

        def work(session: Session) -> None:
            family = {"id": token.family, "user_id": user_id, "expires_at": _NOW + self.lifetime}
            statement = insert(TokenFamily).values(family).returning(TokenFamily.expires_at)
            _add(session, token, session.scalars(statement).one())
            also(session)

        self.database.transaction(work)
        return token.text

    def rotate(self, text: str) -> Renewal | None:
        """The user and the successor of a token; None if the token does not count (any more).

        May be repeated after any failure. None is certain: it is not said by a node that has lost the lead.
        """
        token = Secret.parse(text)
        if token is None:
            return None
        successor = Secret.new(token.family)
        try:
            return self.database.transaction(lambda session: self._rotate(session, token, successor))
        except _Expired:
            return None

    def revoke(self, text: str) -> None:
        """End the token's family, if there is one."""
        token = Secret.parse(text)
        if token:
            self.database.transaction(lambda session: _end(session, token.family))

    def _rotate(self, session: Session, token: Secret, successor: Secret) -> Renewal | None:
        touched = session.execute(
            update(TokenFamily)
            .where(TokenFamily.id == token.family, User.id == TokenFamily.user_id)
            .values(expires_at=_NOW + self.lifetime)
            .returning(TokenFamily.user_id, TokenFamily.expires_at, User.admin)
            .execution_options(**PLAIN)
        ).one_or_none()
        if touched is None:
            make_durable(session)
            return None
        # From here on this family is locked.
        user_id, expires_at, admin = touched
        now = expires_at - self.lifetime
        used = session.get(RefreshToken, token.digest)
        if used is None or used.is_reused(now):
            log.warning("refresh token used again: its family ends", user_id=str(user_id))
            _end(session, token.family)
            return None
        if used.expires_at <= now:
            raise _Expired
        self._use(session, used, now)
        _add(session, successor, expires_at, parent=used.digest)
        return Renewal(user_id, roles(admin), successor.text)

    def _use(self, session: Session, used: RefreshToken, now: datetime) -> None:
        mine = RefreshToken.family_id == used.family_id
        if used.spent_at is None:
            _leave_behind(session, used.parent, now)
        elif used.spent_at <= now:
            _remove(session, RefreshToken, mine, RefreshToken.parent == used.digest)
        else:
            return
        used.spent_at = now + self.grace


def _leave_behind(session: Session, parent: bytes | None, now: datetime) -> None:
    """Note that the client has received the successor of this token."""
    if parent is None:
        return
    before = RefreshToken.digest == parent
    if not _remove(session, RefreshToken, before, RefreshToken.spent_at <= now):
        session.execute(
            update(RefreshToken).where(before).values(successor_used=True), execution_options=PLAIN
        )


def expire(database: Database) -> int:
    """Delete families whose last token has expired (a batch); how many there were."""
    return database.transaction(_expire)


def _expire(session: Session) -> int:
    old = select(TokenFamily.id).where(TokenFamily.expires_at < _NOW).order_by(TokenFamily.expires_at)
    ids = session.scalars(old.limit(EXPIRE_AT_ONCE).with_for_update(skip_locked=True)).all()
    _remove(session, TokenFamily, TokenFamily.id.in_(ids))
    return len(ids)


def _add(session: Session, token: Secret, expires_at: datetime, parent: bytes | None = None) -> None:
    row = {"digest": token.digest, "family_id": token.family, "parent": parent, "expires_at": expires_at}
    session.execute(insert(RefreshToken).values(row))


def _end(session: Session, family: uuid.UUID) -> None:
    """End a family; its tokens go with it. Of one that has ended already, make that certain."""
    if not _remove(session, TokenFamily, TokenFamily.id == family):
        make_durable(session)


def _remove(session: Session, model: type[Base], *where: ColumnElement[bool]) -> bool:
    """Delete rows; whether there were any."""
    key = inspect(model).primary_key[0]
    return bool(session.scalars(delete(model).where(*where).returning(key), execution_options=PLAIN).all())
