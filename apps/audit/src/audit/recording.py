"""Records every event that the service is told to consume."""

import uuid
from typing import Any

from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.events import Event, Handler, Handlers
from tandem_common.settings import BrokerSettings

from audit.models import Recorded


class Concerning(BaseModel):
    """All that is understood of an event's data: whose it is. The rest is kept as it came."""

    user_id: uuid.UUID | None = None


def handlers(settings: BrokerSettings) -> Handlers:
    """The same for each event of the catalog's `consumes`: one more needs no new release."""
    return dict.fromkeys(settings.broker_consumes, HANDLER)


def record(session: Session, event: Event, data: Concerning, _prepared: Any) -> None:
    """Add the event; once, also if it comes again after its message id was forgotten."""
    row = {
        "id": event.id,
        "type": event.type,
        "version": event.version,
        "subject": event.subject,
        "user_id": data.user_id,
        "at": event.time,
        "request_id": event.request_id,
        "data": event.data,
    }
    session.execute(insert(Recorded).values(row).on_conflict_do_nothing(index_elements=[Recorded.id]))


HANDLER = Handler(data=Concerning, apply=record, versions=range(1, 1_000_000))
