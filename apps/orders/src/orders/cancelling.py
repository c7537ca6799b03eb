"""Cancelling an order, while it is not paid as far as this service knows.

order-processing may have got further meanwhile: it gives back what was paid, and the stock.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session
from tandem_common.database import Database, make_durable
from tandem_common.events import publish
from tandem_common.problems import Conflict, NotFound

from orders import metrics
from orders.checkout import announce
from orders.events import OrderCancelled
from orders.models import CANCELLED, Order
from orders.states import CANCELLABLE


@dataclass(frozen=True)
class Cancelling:
    """Cancels orders."""

    database: Database

    def cancel(self, user_id: uuid.UUID, order_id: uuid.UUID) -> Order:
        """The cancelled order, also a second time. Raises NotFound, and Conflict if it is too late."""
        return self.database.transaction(lambda session: _cancel(session, user_id, order_id))


def _cancel(session: Session, user_id: uuid.UUID, order_id: uuid.UUID) -> Order:
    statement = select(Order).where(Order.id == order_id, Order.user_id == user_id).with_for_update()
    order = session.scalars(statement).one_or_none()
    if order is None:
        raise NotFound("You have no such order.")
    announce(session, order)
    if order.status in CANCELLABLE:
        order.status = CANCELLED
        event = OrderCancelled(
            order_id=order.id,
            user_id=order.user_id,
            reservation_id=order.reservation_id,
            amount=order.amount,
            currency=order.currency,
        )
        publish(session, event, subject=str(order.id))
        metrics.count(session, CANCELLED)
    elif order.status != CANCELLED:
        raise Conflict(
            "too-late", "Too late", f"The order is {order.status}.", extra={"order_status": order.status}
        )
    make_durable(session)  # another request may have done it a moment ago
    return order
