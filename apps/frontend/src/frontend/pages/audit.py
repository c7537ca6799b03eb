"""What happened in the shop, for administrators."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from flask import Blueprint, render_template, request
from tandem_common.request_ids import request_id

from frontend.pages.request import backend, current_session, line
from frontend.services import Event, EventPage, Refusal

PAGE_SIZE = 25
MAX_TEXT = 64
MAX_BEFORE = 200
_TYPE = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+")
_BEFORE = re.compile(r"[A-Za-z0-9_-]+")
TYPES = (
    "user.registered",
    "user.logged_in",
    "user.login_failed",
    "order.created",
    "order.cancelled",
    "order.paid",
    "order.packed",
    "order.shipped",
    "order.rejected",
)
"""What can be chosen. Events of other types are shown by their own names."""
Page = str | tuple[str, int]


@dataclass(frozen=True)
class Filter:
    """Which events are wanted, as it was typed; empty is any."""

    type: str
    user: str
    since: str
    until: str
    before: str
    """Place of the page; none of the form's business."""

    @classmethod
    def of_request(cls) -> "Filter":
        """From the form or a link."""
        kind, before = (line(request.args.get(name), MAX_BEFORE) for name in ("type", "before"))
        user, since, until = (line(request.args.get(name), MAX_TEXT) for name in ("user", "since", "until"))
        return cls(
            kind if _TYPE.fullmatch(kind) else "",
            user,
            since,
            until,
            before if _BEFORE.fullmatch(before) else "",
        )

    @property
    def errors(self) -> dict[str, str]:
        """Name of the text by wrong field."""
        days = {"since": "audit.wrong_since", "until": "audit.wrong_until"}
        wrong = {name: text for name, text in days.items() if getattr(self, name) and not self._day(name)}
        if self.user and not self._user:
            wrong["user"] = "audit.wrong_user"
        return wrong

    @property
    def _user(self) -> uuid.UUID | None:
        try:
            return uuid.UUID(self.user)
        except ValueError:
            return None

    def _day(self, name: str) -> date | None:
        """A day that has a next one."""
        try:
            day = date.fromisoformat(getattr(self, name))
        except ValueError:
            return None
        return day if day < date.max else None

    def query(self) -> dict[str, object]:
        """The same for the audit service; days are those of UTC, the last one included."""
        since, until = self._day("since"), self._day("until")
        return {
            "type": self.type or None,
            "user_id": self._user,
            "since": since and _begin(since),
            "until": until and _begin(until + timedelta(days=1)),
            "before": self.before or None,
            "size": PAGE_SIZE,
        }

    def link(self, **changed: str | None) -> Mapping[str, str]:
        """Query of the page that shows the same, but for this; it begins with the newest events."""
        kept = {"type": self.type, "user": self.user, "since": self.since, "until": self.until, **changed}
        return {name: value for name, value in kept.items() if value}


def _begin(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


def declare(blueprint: Blueprint) -> None:
    """Add the list of events."""

    @blueprint.get("/account/events")
    def audit() -> Page:
        wanted = Filter.of_request()
        # Also with a wrong filter: nobody else is to see even the form.
        query = {"size": 1} if wanted.errors else wanted.query()
        try:
            found = current_session().call(lambda token: backend().audit.page(token, **query))
        except Refusal as error:
            if error.status != 403:
                raise
            return _refused(), 403
        if wanted.errors:
            return _show(wanted, EventPage(items=[], next=None)), 422
        return _show(wanted, found)


def _show(wanted: Filter, found: EventPage) -> str:
    return render_template("audit.html", wanted=wanted, found=found, types=TYPES, details=_details)


def _refused() -> str:
    return render_template(
        "error.html", problem="problem.administrators", status=403, request_id=request_id()
    )


def _details(event: Event) -> str:
    """The event's data for people who read JSON; without the user, who has a column."""
    data = {name: value for name, value in event.data.items() if name != "user_id"}
    return json.dumps(data, ensure_ascii=False, indent=2)
