"""Orders of the past."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tandem_common.database import Database

from orders.models import Order


@dataclass(frozen=True)
class History:
    """Each user's orders."""

    database: Database

    def page(self, user_id: uuid.UUID, offset: int, size: int) -> tuple[Sequence[Order], int]:
        """A user's orders, newest first; and how many there are."""

        def work(session: Session) -> tuple[Sequence[Order], int]:
            mine = Order.user_id == user_id
            total = session.scalar(select(func.count()).select_from(Order).where(mine)) or 0
            newest_first = Order.created_at.desc(), Order.id.desc()
            statement = select(Order).where(mine).order_by(*newest_first).offset(offset).limit(size)
            return session.scalars(statement).all(), total

        return self.database.read(work, fresh=True)
