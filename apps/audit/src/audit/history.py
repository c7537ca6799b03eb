"""What can be asked about the past, and how old events go."""

import base64
import binascii
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ColumnElement, delete, func, select, tuple_
from sqlalchemy.orm import Session
from tandem_common.database import Database

from audit.models import Recorded

EXPIRE_AT_ONCE = 1000
LEAST_DAYS = 30
"""The database refuses to delete what is younger."""


@dataclass(frozen=True)
class Place:
    """An event's place in the list, newest first."""

    at: datetime
    id: uuid.UUID

    def __str__(self) -> str:
        """For a URL."""
        text = f"{self.at.isoformat()} {self.id}"
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that such a text stands for; ValueError if it is none."""
        try:
            at, _, event_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
            place = cls(datetime.fromisoformat(at), uuid.UUID(event_id))
        except (binascii.Error, ValueError) as error:
            raise ValueError("must be the `next` of a page") from error
        if place.at.tzinfo is None:
            raise ValueError("must be the `next` of a page")
        return place


@dataclass(frozen=True)
class Wanted:
    """Which events; None is any."""

    type: str | None = None
    user_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    before: Place | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for the database."""
        found: list[ColumnElement[bool]] = []
        if self.type is not None:
            found.append(Recorded.type == self.type)
        if self.user_id is not None:
            found.append(Recorded.user_id == self.user_id)
        if self.since is not None:
            found.append(Recorded.at >= self.since)
        if self.until is not None:
            found.append(Recorded.at < self.until)
        if self.before is not None:
            found.append(tuple_(Recorded.at, Recorded.id) < tuple_(self.before.at, self.before.id))
        return found


@dataclass(frozen=True)
class History:
    """The recorded events."""

    database: Database

    def page(self, wanted: Wanted, size: int) -> tuple[Sequence[Recorded], Place | None]:
        """Events, newest first; and where the next page begins, if there is one.

        A page costs the same wherever it is. It may be slightly old: the nearest node answers.
        """
        newest_first = Recorded.at.desc(), Recorded.id.desc()
        statement = select(Recorded).where(*wanted.conditions()).order_by(*newest_first).limit(size + 1)
        rows = self.database.read(lambda session: session.scalars(statement).all())
        shown = rows[:size]
        return shown, Place(shown[-1].at, shown[-1].id) if len(rows) > size else None

    def expire(self, days: int) -> int:
        """Delete events that were recorded longer ago (a batch); how many there were."""

        def work(session: Session) -> int:
            old = (
                select(Recorded.id)
                .where(Recorded.at < func.now() - timedelta(days=days))
                .where(Recorded.recorded_at < func.now() - timedelta(days=days))
                .order_by(Recorded.at)
                .limit(EXPIRE_AT_ONCE)
            )
            gone = delete(Recorded).where(Recorded.id.in_(old)).returning(Recorded.id)
            return len(session.scalars(gone, execution_options={"synchronize_session": False}).all())

        return self.database.transaction(work)
