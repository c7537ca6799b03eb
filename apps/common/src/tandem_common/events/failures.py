"""Where messages go that could not be handled: to a delay and back, or to the dead letters.

Both are publishings with a confirm; the original is acknowledged after it. A process that dies in between leaves two
copies of one message, of which the second has no effect.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import pika

from tandem_common.events.connection import Delivery
from tandem_common.events.publishing import Outgoing

DEAD = "dead"
"""Exchange; routing key is the queue that the message failed in."""
DELAYS = ("1s", "5s", "30s", "2m", "10m")
"""Each has an exchange and a queue `retry:DELAY`; after the last one, it is used again."""
RETRIES = "x-tandem-retries"
REASON = "x-tandem-reason"
REASON_LENGTH = 500


def delay(retries: int) -> str:
    """Exchange for the next retry after so many."""
    return f"retry:{DELAYS[min(retries, len(DELAYS) - 1)]}"


def retries_of(properties: pika.BasicProperties) -> int:
    """How often the message was tried again."""
    value = (properties.headers or {}).get(RETRIES, 0)
    return value if isinstance(value, int) and value >= 0 else 0


def id_of(properties: pika.BasicProperties, body: bytes) -> str:
    """The message's id; one made from the body where the sender gave none."""
    return properties.message_id or f"sha256-{hashlib.sha256(body).hexdigest()[:32]}"


def again(delivery: Delivery) -> Outgoing:
    """The message on its way to a delay, and from there back to its queue."""
    done = retries_of(delivery.properties)
    return _copy(delivery, delay(done), {RETRIES: done + 1})


def dead(delivery: Delivery, reason: str) -> Outgoing:
    """The message on its way to the dead letters."""
    short = reason[:REASON_LENGTH]
    return _copy(delivery, DEAD, {RETRIES: retries_of(delivery.properties), REASON: short})


def _copy(delivery: Delivery, exchange: str, headers: Mapping[str, Any]) -> Outgoing:
    return Outgoing(
        token=object(),
        exchange=exchange,
        routing_key=delivery.queue,
        body=delivery.body,
        properties=properties(delivery.properties, delivery.body, headers),
    )


def properties(given: pika.BasicProperties, body: bytes, headers: Mapping[str, Any]) -> pika.BasicProperties:
    """The sender's properties with other headers.

    The broker's own ones stay behind: it would take the history of an earlier way for a message that goes in circles.
    """
    return pika.BasicProperties(
        message_id=id_of(given, body),
        type=given.type,
        content_type=given.content_type,
        delivery_mode=2,
        headers=dict(headers),
    )
