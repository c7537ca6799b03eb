"""Events: what a producer says, and what travels (CloudEvents 1.0, structured JSON)."""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

CONTENT_TYPE = "application/cloudevents+json"
MAX_BYTES = 256 * 1024
"""Of a message's body. RabbitMQ takes more, but queues of large messages are slow to replicate and to catch up."""
TYPE = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+")
_SCHEMA = re.compile(r"urn:tandem:event:(?P<type>[a-z0-9._]+):(?P<version>[1-9][0-9]{0,5})")


class Reject(Exception):
    """The message can never be handled: it goes to the dead-letter queue at once, with this reason."""


class EventData(BaseModel):
    """What happened, in the producer's words. A subclass sets `type` and `version`.

    A new optional field keeps the version; anything that a consumer could stumble over needs the next one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]
    version: ClassVar[int]

    @classmethod
    def __pydantic_init_subclass__(cls, **_more: Any) -> None:
        if not TYPE.fullmatch(cls.type) or cls.version < 1:
            raise TypeError(f"{cls.__name__}: type like order.created and version from 1 on are needed")


@dataclass(frozen=True)
class Event:
    """A message as a consumer gets it."""

    id: uuid.UUID
    type: str
    version: int
    subject: str
    """Id of the aggregate that changed."""
    time: datetime
    """When it was written to the outbox."""
    request_id: str | None
    """Of the request that caused it."""
    data: dict[str, Any]


class _Envelope(BaseModel):
    """The message's JSON object; members that are not known here are ignored, as CloudEvents asks."""

    model_config = ConfigDict(hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: uuid.UUID
    type: str
    subject: str
    time: AwareDatetime
    dataschema: str
    datacontenttype: Literal["application/json"]
    requestid: str | None = None
    data: dict[str, Any]


def write(data: EventData, *, event_id: uuid.UUID, source: str, subject: str, request_id: str | None) -> str:
    """The message's body; ValueError if it is too large."""
    kind = type(data)
    envelope = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": source,
        "type": kind.type,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(timespec="microseconds"),
        "datacontenttype": "application/json",
        "dataschema": f"urn:tandem:event:{kind.type}:{kind.version}",
        **({"requestid": request_id} if request_id else {}),
        "data": data.model_dump(mode="json"),
    }
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    if len(body.encode()) > MAX_BYTES:
        raise ValueError(f"event {kind.type} of {subject}: more than {MAX_BYTES} bytes")
    return body


def read(body: bytes) -> Event:
    """The event in a message's body; Reject if it is not one."""
    if len(body) > MAX_BYTES:
        raise Reject(f"too large: {len(body)} bytes")
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError as error:
        raise Reject(f"not an event: {reasons(error)}") from error
    schema = _SCHEMA.fullmatch(envelope.dataschema)
    if schema is None or schema["type"] != envelope.type:
        raise Reject(f"unknown dataschema {envelope.dataschema[:200]!r}")
    return Event(
        id=envelope.id,
        type=envelope.type,
        version=int(schema["version"]),
        subject=envelope.subject,
        time=envelope.time,
        request_id=envelope.requestid,
        data=envelope.data,
    )


def reasons(error: ValidationError) -> str:
    """What is wrong and where, without the values: they may be personal."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in wrong[:5])
