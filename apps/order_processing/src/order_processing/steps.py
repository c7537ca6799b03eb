"""The steps of an order. One step is one message, one transaction and one event.

    order.created   -> stock is sold and the payment made -> order.paid, or order.rejected (stock given back)
    order.paid      -> packed   -> order.packed
    order.packed    -> shipped  -> order.shipped
    order.cancelled -> refunded if it was paid, stock given back

Calls to others come before the step's transaction (`prepare`). They are idempotent there, so a step that is repeated,
by a redelivery or by a second instance, makes no second payment. An order's row says who may go on. A cancellation that
meets an order in `paying` leaves word there and is tried again: whether the provider has made the payment is known only
when it has answered, and a payment that was made is given back.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.events import Event, Handler, Handlers, Reject, publish

from order_processing.events import (
    Cancelled,
    Created,
    OrderPacked,
    OrderPaid,
    OrderRejected,
    OrderShipped,
    Reason,
    Step,
)
from order_processing.models import (
    CANCELLED,
    PACKED,
    PAID,
    PAYING,
    REJECTED,
    SHIPPED,
    Order,
    Payment,
    Shipment,
)
from order_processing.products import Products, Returned
from order_processing.provider import Provider


class PaymentAtWork(Exception):
    """The order is being paid at the moment: wait for what becomes of it."""


@dataclass(frozen=True)
class Sold:
    """The payment was accepted."""

    payment_id: str


@dataclass(frozen=True)
class Refused:
    """The order can't be had."""

    reason: Reason


Outcome = Sold | Refused | None
"""None: the order needs no payment any more."""


@dataclass(frozen=True)
class Steps:
    """All steps, and whom they ask."""

    database: Database
    products: Products
    provider: Provider

    def handlers(self) -> Handlers:
        """The handler of each event."""
        return {
            "order.created": Handler(data=Created, prepare=self.pay, apply=_write_payment),
            "order.paid": Handler(data=Step, apply=_pack),
            "order.packed": Handler(data=Step, apply=_ship),
            "order.cancelled": Handler(data=Cancelled, prepare=self.undo, apply=_write_refund),
        }

    def pay(self, _event: Event, data: Created) -> Outcome:
        """Sell the stock and make the payment, unless the order is past that."""
        if self.database.transaction(lambda session: _begin(session, data.order_id, PAYING)) != PAYING:
            return None
        try:
            if not self.products.confirm(data.reservation_id):
                return Refused("sold_out")
        except Returned:
            # Only a refused payment gives back the stock of an order that is being paid: this is a repetition.
            return Refused("payment_refused")
        answer = self.provider.pay(data.order_id, data.amount, data.currency)
        if answer.status == "refused":
            self.products.take_back(data.reservation_id)
            return Refused("payment_refused")
        return Sold(answer.id)

    def undo(self, _event: Event, data: Cancelled) -> str | None:
        """Stop the order, give its payment and its stock back; the refund's id if there was a payment."""
        state, payment_id = self.database.transaction(lambda session: _stop(session, data.order_id))
        if state == PAYING:
            raise PaymentAtWork(f"order {data.order_id} is being paid")
        refund = self.provider.refund(data.order_id, payment_id) if payment_id else None
        self.products.take_back(data.reservation_id)
        return refund.id if refund else None


def _begin(session: Session, order_id: uuid.UUID, state: str) -> str:
    """The order's state; `state` if it was not known yet. Locks the row."""
    session.execute(insert(Order).values(order_id=order_id, state=state).on_conflict_do_nothing())
    return _locked(session, order_id).state


def _locked(session: Session, order_id: uuid.UUID) -> Order:
    order = session.scalars(select(Order).where(Order.order_id == order_id).with_for_update()).one_or_none()
    if order is None:
        raise Reject(f"order {order_id} was never begun")
    return order


def _write_payment(session: Session, _event: Event, data: Created, outcome: Outcome) -> None:
    order = _locked(session, data.order_id)
    if order.state != PAYING or outcome is None:
        return
    if isinstance(outcome, Sold):
        payment = {"provider_id": outcome.payment_id, "amount": data.amount, "currency": data.currency}
        session.add(Payment(order_id=data.order_id, **payment))
    if order.unwanted:
        order.state = CANCELLED  # its buyer knows; the cancellation gives back what was paid
        return
    known = {
        "order_id": data.order_id,
        "user_id": data.user_id,
        "amount": data.amount,
        "currency": data.currency,
    }
    event: OrderPaid | OrderRejected
    if isinstance(outcome, Sold):
        order.state = PAID
        event = OrderPaid(**known, items=data.items, payment_id=outcome.payment_id)
    else:
        order.state = REJECTED
        event = OrderRejected(**known, reason=outcome.reason)
    publish(session, event, subject=str(data.order_id))


def _pack(session: Session, _event: Event, data: Step, _prepared: Any) -> None:
    order = _locked(session, data.order_id)
    if order.state == PAID:
        order.state = PACKED
        publish(session, OrderPacked(**data.model_dump()), subject=str(data.order_id))


def _ship(session: Session, _event: Event, data: Step, _prepared: Any) -> None:
    order = _locked(session, data.order_id)
    if order.state == PACKED:
        order.state = SHIPPED
        tracking = f"TND{data.order_id.hex[:12].upper()}"
        session.add(Shipment(order_id=data.order_id, tracking=tracking))
        publish(session, OrderShipped(**data.model_dump(), tracking=tracking), subject=str(data.order_id))


def _stop(session: Session, order_id: uuid.UUID) -> tuple[str, str | None]:
    """From now on no step goes on. The order's state, and the id of the payment that has to be given back."""
    state = _begin(session, order_id, CANCELLED)
    order = _locked(session, order_id)
    if state == PAYING:
        order.unwanted = True
        return state, None
    if state != REJECTED:
        order.state = CANCELLED
    shipment = session.get(Shipment, order_id)
    if shipment and not shipment.recalled_at:
        shipment.recalled_at = datetime.now(UTC)
    payment = session.get(Payment, order_id)
    return order.state, payment.provider_id if payment else None


def _write_refund(session: Session, _event: Event, data: Cancelled, refund_id: str | None) -> None:
    if refund_id and (payment := session.get(Payment, data.order_id)):
        payment.refund_id = refund_id
