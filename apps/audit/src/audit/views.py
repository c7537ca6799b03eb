"""HTTP operations of the audit service."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field
from tandem_common.api import Api
from tandem_common.events.model import TYPE
from tandem_common.fields import Output, Query
from tandem_common.problems import InvalidInput
from tandem_common.tokens import ADMIN, Claims, Verifier

from audit.history import History, Place, Wanted
from audit.models import Recorded


class EventQuery(Query):
    """Which events."""

    type: str | None = Field(
        default=None, pattern=f"^{TYPE.pattern}$", max_length=100, description="As in user.login_failed"
    )
    user_id: uuid.UUID | None = Field(default=None, description="Whose")
    since: AwareDatetime | None = Field(default=None, description="Not earlier")
    until: AwareDatetime | None = Field(default=None, description="Earlier than this")
    before: str | None = Field(default=None, max_length=200, description="`next` of the page before this one")
    size: int = Field(default=50, ge=1, le=100, description="Events per page")

    def wanted(self) -> Wanted:
        """The same for the database."""
        try:
            before = None if self.before is None else Place.parse(self.before)
        except ValueError as error:
            raise InvalidInput.of("before", str(error)) from error
        return Wanted(self.type, self.user_id, self.since, self.until, before)


class EventView(Output):
    """Something that happened."""

    id: uuid.UUID
    type: str = Field(examples=["order.created"])
    version: int = Field(description="Of its data's schema")
    subject: str = Field(description="What it happened to: id of an account or of an order")
    user_id: uuid.UUID | None = Field(description="Whose it is")
    at: datetime
    request_id: str | None
    data: dict[str, Any] = Field(description="As it was told")

    @classmethod
    def of(cls, row: Recorded) -> "EventView":
        """From its row."""
        return cls.model_validate(row, from_attributes=True)


class EventPage(Output):
    """Events, newest first."""

    items: list[EventView]
    next: str | None = Field(description="Given as `before`, it gets the next page; null on the last one")


def build(history: History, verifier: Verifier) -> Api:
    """The service's operations."""
    api = Api("Audit", "/audit", "What happened in the shop, for administrators.", verifier)

    @api.operation(
        "GET",
        "/audit/events",
        "What happened",
        token=True,
        role=ADMIN,
        query=EventQuery,
        answers={200: EventPage},
    )
    def list_events(claims: Claims, query: EventQuery) -> EventPage:
        """An event is here seconds after it happened, or as soon as the shop's queues have come to it."""
        rows, following = history.page(query.wanted(), query.size)
        return EventPage(
            items=[EventView.of(row) for row in rows], next=str(following) if following else None
        )

    return api
