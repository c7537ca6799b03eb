"""Events that are never lost: outbox, relay, consumers, dead letters (docs/events.md)."""

from tandem_common.events.consumer import run_consumer
from tandem_common.events.handler import Handler, Handlers
from tandem_common.events.model import Event, EventData, Reject
from tandem_common.events.outbox import publish
from tandem_common.events.relay import run_relay

__all__ = ["Event", "EventData", "Handler", "Handlers", "Reject", "publish", "run_consumer", "run_relay"]
