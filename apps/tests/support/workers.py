"""A service with an outbox and handlers, as a process that tests may kill.

`python -m support.workers relay|consume …`; CRASH names a place in which it kills itself, with SIGKILL, once: the file
CRASHED is made just before.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from tandem_common.commands import run
from tandem_common.database import Database
from tandem_common.events import Event, Handler
from tandem_common.events.connection import BrokerConnection, Delivery
from tandem_common.events.outbox_session import OutboxSession, Row
from tandem_common.events.publishing import Outgoing

from support.events import NOTE, Thing, note


def die_once() -> None:
    """As by a loss of power."""
    crashed = Path(os.environ["CRASHED"])
    if not crashed.exists():
        crashed.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def die_before_marking() -> None:
    """The relay, when it is about to take the first confirmed rows out of the outbox."""
    exchange = OutboxSession.exchange

    def dying(self: OutboxSession, sent: Any, *more: Any) -> list[Row]:
        if sent:
            die_once()
        return exchange(self, sent, *more)

    OutboxSession.exchange = dying  # type: ignore[method-assign]


def die_after_sending() -> None:
    """The relay, with messages in flight."""
    send = BrokerConnection.send

    def dying(self: BrokerConnection, messages: list[Outgoing]) -> None:
        send(self, messages)
        die_once()

    BrokerConnection.send = dying  # type: ignore[method-assign,assignment]


def die_before_acknowledging() -> None:
    """The consumer, after its COMMIT or after it has sent a failed message away."""

    def dying(self: BrokerConnection, delivery: Delivery) -> None:
        die_once()
        acknowledge(self, delivery)

    acknowledge = BrokerConnection.acknowledge
    BrokerConnection.acknowledge = dying  # type: ignore[method-assign]


def die_before_committing() -> None:
    """The consumer, with its effect in the transaction."""
    transaction = Database.transaction

    def dying(self: Database, work: Any, **more: Any) -> Any:
        def dying_work(session: Session) -> Any:
            result = work(session)
            session.flush()
            die_once()
            return result

        return transaction(self, dying_work, **more)

    Database.transaction = dying  # type: ignore[method-assign]


def apply(session: Session, event: Event, data: Thing, prepared: Any) -> None:
    """An effect; one number always fails."""
    if data.number == 13:
        raise RuntimeError("not this one")
    note(session, event, data, prepared)


CRASHES = {
    "before marking": die_before_marking,
    "after sending": die_after_sending,
    "before acknowledging": die_before_acknowledging,
    "before committing": die_before_committing,
}

if __name__ == "__main__":
    if "CRASH" in os.environ:
        CRASHES[os.environ["CRASH"]]()
    sys.exit(run("things", outbox=True, handlers={"thing.made": Handler(Thing, apply), "thing.sold": NOTE}))
