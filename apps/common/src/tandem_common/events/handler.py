"""What a service does with an event."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from tandem_common.events.model import Event, Reject, reasons


@dataclass(frozen=True)
class Handler:
    """For one type of event."""

    data: type[BaseModel]
    """The consumer's own model: only the fields that it needs, further ones ignored."""
    apply: Callable[[Session, Event, Any, Any], None]
    """Gets the session, the event, its data as `data`, and what `prepare` gave back (None without).

    Runs in the transaction that also records the message as consumed, so its changes happen once. May run several
    times and therefore touches nothing but its session.
    """
    prepare: Callable[[Event, Any], Any] | None = None
    """Runs before that transaction, for calls to others; may run several times, so they must be idempotent."""
    versions: Collection[int] = (1,)
    """Versions of the event that `data` understands."""

    def read(self, event: Event) -> BaseModel:
        """The event's data; Reject if it is of an unknown version or does not fit."""
        if event.version not in self.versions:
            raise Reject(f"unknown version {event.version} of {event.type}")
        try:
            return self.data.model_validate(event.data)
        except ValidationError as error:
            raise Reject(f"unusable data: {reasons(error)}") from error


Handlers = Mapping[str, Handler]
"""By type of event."""
