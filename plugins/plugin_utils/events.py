# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Events as the catalog's entries name them: what a service publishes, and how it consumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from . import names
from .problems import shown
from .schema import Strict, wrong


def _event(value: str) -> str:
    if not names.EVENT_NAME.fullmatch(value) or len(value) > names.EVENT_NAME_LENGTH:
        raise wrong(
            f"{value!r} is not an event's name",
            "write what happened to what, in lower case with a dot and at most "
            f"{names.EVENT_NAME_LENGTH} characters, as in order.created",
        )
    if value.startswith("amq."):
        raise wrong(f"{value!r} begins with amq., which is RabbitMQ's own", "choose another name")
    return value


Event = Annotated[str, AfterValidator(_event)]


class Consumption(Strict):
    """How one event is consumed.

    ``retries``: how often a message that fails is tried again before it is a dead letter. ``per``: one queue for
    the platform, or one for each site where the service runs. ``max_length``: messages after which the queue
    takes no more, so that their publishers wait.
    """

    retries: Annotated[int, Field(ge=0, le=100)] = 5
    per: Literal["platform", "site"] = "platform"
    max_length: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000


def _consumes(value: Any) -> Any:
    """Take a list of events for a mapping with nothing said about each."""
    if isinstance(value, Mapping):
        return {event: {} if item is None else item for event, item in value.items()}
    if isinstance(value, list) and all(isinstance(event, str) for event in value):
        twice = [event for number, event in enumerate(value) if event in value[:number]]
        if twice:
            raise wrong(f"{shown(twice[0])} is listed twice", "remove one")
        return {event: {} for event in value}
    return value


Consumes = Annotated[dict[Event, Consumption], BeforeValidator(_consumes)]
