"""Orders on their way through order-processing, without a broker."""

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from order_processing.steps import Steps
from products.stock import Stock
from tandem_common.calls import CallFailed
from tandem_common.database import Database

from support.consuming import handle, outbox
from support.postgres import Server
from support.world import Payments

DATABASE = "order_processing"
SLOW_ATTEMPTS = 5
SLOW_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Flow:
    """The service and all that it talks to."""

    server: Server
    database: Database
    steps: Steps
    stock: Stock
    provider: Payments

    def order(self, user_id: uuid.UUID, product: int = 1, quantity: int = 2) -> dict[str, Any]:
        """order.created as orders sends it, with its stock held."""
        reservation = uuid.uuid4()
        held = self.stock.hold(reservation, {product: quantity}, 60)
        item = held.items[0]
        return {
            "order_id": str(uuid.uuid4()),
            "user_id": str(user_id),
            "reservation_id": str(reservation),
            "items": [
                {
                    "product_id": product,
                    "quantity": quantity,
                    "name": item.name,
                    "amount": item.amount,
                    "currency": item.currency,
                }
            ],
            "amount": item.amount * quantity,
            "currency": item.currency,
            "created_at": "2026-11-25T10:00:00Z",
        }

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Take one event; raises what would make a consumer try again.

        But where products is only too slow, on a busy machine, it is tried again here.
        """
        for _ in range(SLOW_ATTEMPTS):
            with suppress(CallFailed):
                return handle(self.database, self.steps.handlers(), kind, data)
            time.sleep(SLOW_PAUSE_SECONDS)
        return handle(self.database, self.steps.handlers(), kind, data)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What was put into the outbox."""
        return outbox(self.server, DATABASE)

    def run(self, order: dict[str, Any]) -> None:
        """Take an order as far as it goes."""
        self.tell("order.created", order)
        for kind in ("order.paid", "order.packed"):
            for told, data in self.events():
                if told == kind and data["order_id"] == order["order_id"]:
                    self.tell(kind, data)

    def rows(self, statement: str) -> list[Any]:
        return self.server.execute(statement, DATABASE)

    def state(self, order: dict[str, Any]) -> str | None:
        rows = self.server.execute(
            "select state from orders where order_id = %s", DATABASE, (order["order_id"],)
        )
        return rows[0][0] if rows else None

    def available(self, product: int = 1) -> int:
        return int(
            self.server.execute("select available from products where id = %s", "products", (product,))[0][0]
        )

    def reservation(self, order: dict[str, Any]) -> str:
        rows = self.server.execute(
            "select status from reservations where id = %s", "products", (order["reservation_id"],)
        )
        return str(rows[0][0])


def cancelled(order: dict[str, Any]) -> dict[str, Any]:
    """order.cancelled as orders sends it."""
    return {name: order[name] for name in ("order_id", "user_id", "reservation_id", "amount", "currency")}
