"""The stock: reservations that are idempotent, expire, and are confirmed or released.

Locks are always taken in the same order: the reservation, then products by ascending id. Stock is taken by
one conditional UPDATE per product, so that two buyers never get the same last piece.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database, make_durable
from tandem_common.problems import Conflict, FieldError, InvalidInput, NotFound

from products.models import CONFIRMED, HELD, RELEASED, RETURNED, Product, Reservation, ReservationItem

EXPIRE_AT_ONCE = 100
Wanted = Mapping[int, int]
"""Quantity by product id."""


class NotEnough(Conflict):
    """A product has less than is wanted."""

    def __init__(self, product_id: int, wanted: int, available: int) -> None:
        self.product_id = product_id
        reason = f"product {product_id}: {wanted} wanted, {available} available"
        super().__init__(
            "not-enough-stock",
            "Not enough in stock",
            reason,
            errors=[FieldError(field="quantity", reason=reason)],
            extra={"product_id": product_id, "wanted": wanted, "available": available},
        )


class Returned(Conflict):
    """The reservation's stock was given back for good."""

    def __init__(self) -> None:
        super().__init__(
            "reservation-returned", "Reservation returned", "Its order was rejected or cancelled."
        )


@dataclass(frozen=True)
class Held:
    """A reservation and its items."""

    reservation: Reservation
    items: list[ReservationItem]


@dataclass(frozen=True)
class Stock:
    """Stock in the database."""

    database: Database

    def hold(self, reservation_id: uuid.UUID, wanted: Wanted, seconds: int) -> Held:
        """Set stock aside; the same id and items again give the same answer, with the same prices.

        A reservation that was released or has expired is made anew. Raises NotEnough, InvalidInput (no such
        product), Conflict (the id holds other items) and Returned.
        """

        def work(session: Session) -> Held:
            return _hold(session, reservation_id, wanted, seconds)

        try:
            return self.database.transaction(work)
        except NotEnough:
            if not self.expire():
                raise
            return self.database.transaction(work)

    def confirm(self, reservation_id: uuid.UUID) -> Held:
        """Make a reservation a sale, also a second time. One that is no longer held takes its stock again.

        Raises NotFound, NotEnough if the stock went to somebody else after it had expired, and Returned.
        """
        return self.database.transaction(lambda session: _confirm(session, reservation_id))

    def release(self, reservation_id: uuid.UUID) -> None:
        """Give held stock back, also a second time, also of an unknown id. Conflict if it was confirmed."""
        self.database.transaction(lambda session: _release(session, reservation_id))

    def take_back(self, reservation_id: uuid.UUID) -> None:
        """Give stock back for good, held or sold, also a second time: nothing confirms it any more.

        Raises NotFound.
        """
        self.database.transaction(lambda session: _take_back(session, reservation_id))

    def expire(self) -> int:
        """Give back the stock of overdue reservations (a batch); how many there were."""
        return self.database.transaction(_expire)


def _hold(session: Session, reservation_id: uuid.UUID, wanted: Wanted, seconds: int) -> Held:
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
    new = {"id": reservation_id, "status": HELD, "expires_at": expires_at}
    made = session.scalar(insert(Reservation).values(new).on_conflict_do_nothing().returning(Reservation.id))
    reservation = _locked(session, reservation_id)
    if reservation.status == RETURNED:
        raise Returned
    if made is None and reservation.status != RELEASED:
        return _same(session, reservation, wanted, expires_at)
    reservation.status, reservation.expires_at = HELD, expires_at
    session.execute(delete(ReservationItem).where(ReservationItem.reservation_id == reservation_id))
    products = _take(session, wanted)
    items = [
        ReservationItem(
            reservation_id=reservation_id,
            product_id=product.id,
            quantity=wanted[product.id],
            name=product.name,
            amount=product.amount,
            currency=product.currency,
        )
        for product in products
    ]
    session.add_all(items)
    return Held(reservation, items)


def _same(session: Session, reservation: Reservation, wanted: Wanted, expires_at: datetime) -> Held:
    """The answer to a repeated request; one that comes late gets its time anew."""
    items = _items(session, reservation.id)
    if {item.product_id: item.quantity for item in items} != dict(wanted):
        raise Conflict(
            "reservation-differs", "Reservation differs", "This reservation was made for other items."
        )
    if reservation.expires_at < datetime.now(UTC):
        reservation.expires_at = expires_at
    make_durable(session)
    return Held(reservation, items)


def _take(session: Session, wanted: Wanted) -> list[Product]:
    return [_take_one(session, product_id, wanted[product_id]) for product_id in sorted(wanted)]


def _take_one(session: Session, product_id: int, quantity: int) -> Product:
    statement = (
        update(Product)
        .where(Product.id == product_id, Product.available >= quantity)
        .values(available=Product.available - quantity)
        .returning(Product)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    product = session.scalars(statement).one_or_none()
    if product is not None:
        return product
    available = session.scalar(select(Product.available).where(Product.id == product_id))
    if available is None:
        raise InvalidInput.of("product_id", f"there is no product {product_id}")
    raise NotEnough(product_id, quantity, available)


def _confirm(session: Session, reservation_id: uuid.UUID) -> Held:
    reservation = _locked(session, reservation_id)
    items = _items(session, reservation_id)
    if reservation.status == CONFIRMED:
        make_durable(session)
        return Held(reservation, items)
    if reservation.status == RETURNED:
        raise Returned
    if reservation.status == RELEASED:
        _take(session, {item.product_id: item.quantity for item in items})
    reservation.status = CONFIRMED
    return Held(reservation, items)


def _release(session: Session, reservation_id: uuid.UUID) -> None:
    statement = select(Reservation).where(Reservation.id == reservation_id).with_for_update()
    reservation = session.scalars(statement).one_or_none()
    if reservation is None or reservation.status in (RELEASED, RETURNED):
        return make_durable(session)
    if reservation.status == CONFIRMED:
        raise Conflict("reservation-confirmed", "Reservation confirmed", "What was sold can't be released.")
    _give_back(session, [reservation], RELEASED)
    return None


def _take_back(session: Session, reservation_id: uuid.UUID) -> None:
    reservation = _locked(session, reservation_id)
    if reservation.status in (HELD, CONFIRMED):
        _give_back(session, [reservation], RETURNED)
    reservation.status = RETURNED
    make_durable(session)


def _expire(session: Session) -> int:
    overdue = (
        select(Reservation)
        .where(Reservation.status == HELD, Reservation.expires_at < func.now())
        .order_by(Reservation.expires_at)
        .limit(EXPIRE_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    reservations = list(session.scalars(overdue))
    _give_back(session, reservations, RELEASED)
    return len(reservations)


def _give_back(session: Session, reservations: list[Reservation], status: str) -> None:
    ids = [reservation.id for reservation in reservations]
    quantity = func.sum(ReservationItem.quantity)
    sums = select(ReservationItem.product_id, quantity).where(ReservationItem.reservation_id.in_(ids))
    sums = sums.group_by(ReservationItem.product_id).order_by(ReservationItem.product_id)
    for product_id, total in session.execute(sums).all():
        session.execute(
            update(Product)
            .where(Product.id == product_id)
            .values(available=Product.available + total)
            .execution_options(synchronize_session=False)
        )
    for reservation in reservations:
        reservation.status = status


def _locked(session: Session, reservation_id: uuid.UUID) -> Reservation:
    statement = select(Reservation).where(Reservation.id == reservation_id).with_for_update()
    reservation = session.scalars(statement).one_or_none()
    if reservation is None:
        raise NotFound("There is no such reservation.")
    return reservation


def _items(session: Session, reservation_id: uuid.UUID) -> list[ReservationItem]:
    statement = select(ReservationItem).where(ReservationItem.reservation_id == reservation_id)
    return list(session.scalars(statement.order_by(ReservationItem.product_id)))
