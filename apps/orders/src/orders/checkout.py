"""Checkout: one order per key, whatever fails and however often it is repeated.

1. Look the key up; if there is an order, answer the same as before.
2. Reserve the cart's items at the products service. The reservation's id follows from user, key and items,
   so that every repetition means the same reservation. Prices are those of the reservation.
3. In one transaction: insert the order (user and key are unique), empty the cart, and put the event order.created
   into the outbox. Now it is acknowledged; order-processing does the rest.

After a failure at any point the buyer repeats the request.
"""

import hashlib
import uuid
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database, make_durable
from tandem_common.events import publish
from tandem_common.problems import Conflict, InvalidInput, ProblemError
from tandem_common.tokens import Claims

from orders import metrics
from orders.carts import items_of
from orders.events import OrderCreated
from orders.models import PENDING, PLACED, CartItem, Order, OrderItem
from orders.products import Products, Reservation

NAMESPACE = uuid.UUID("5d3c1d0a-6a4e-5c1b-9a53-6f0f3f1b7c2e")
Cart = dict[int, int]


@dataclass(frozen=True)
class Request:
    """A request to make an order of the cart."""

    claims: Claims
    key: str
    note: str | None

    @property
    def fingerprint(self) -> str:
        """Tells bodies apart."""
        return hashlib.sha256((self.note or "").encode()).hexdigest()

    def reservation_id(self, cart: Cart) -> uuid.UUID:
        """The same for the same user, key and items."""
        items = ",".join(f"{product}x{quantity}" for product, quantity in sorted(cart.items()))
        return uuid.uuid5(NAMESPACE, f"{self.claims.user_id}|{items}|{self.key}")


@dataclass(frozen=True)
class Checkout:
    """Makes orders."""

    database: Database
    products: Products
    reservation_seconds: int

    def order(self, request: Request) -> Order:
        """The order of this key, made now or before.

        Raises Conflict (empty or changed cart, not enough stock), InvalidInput (key used for another body,
        a product is gone), Unavailable and OutcomeUnknown (repeat the request).
        """
        found = self.database.transaction(lambda session: _look_up(session, request))
        return found if isinstance(found, Order) else self._make(request, found)

    def _make(self, request: Request, cart: Cart) -> Order:
        reservation_id = request.reservation_id(cart)
        token = request.claims.token
        reservation = self.products.hold(reservation_id, cart, self.reservation_seconds, token)
        try:
            order = self.database.transaction(lambda session: _insert(session, request, cart, reservation))
        except (CartChanged, InvalidInput):
            self.products.release(reservation_id, token)
            raise
        if order.reservation_id != reservation_id:
            # Another request with this key was faster, with another cart: what was held here is not needed.
            self.products.release(reservation_id, token)
        return order


class CartChanged(Conflict):
    """The cart is no longer what stock was reserved for."""

    def __init__(self) -> None:
        super().__init__(
            "cart-changed", "Cart changed", "The cart was changed meanwhile: check it and repeat."
        )


def _find(session: Session, request: Request) -> Order | None:
    statement = select(Order).where(
        Order.user_id == request.claims.user_id, Order.idempotency_key == request.key
    )
    order = session.scalars(statement).one_or_none()
    if order and order.fingerprint != request.fingerprint:
        raise ProblemError(
            422,
            "idempotency-key-reused",
            "Idempotency-Key reused",
            "This key was used with another body. Use a new key for a new order.",
        )
    return order


def _look_up(session: Session, request: Request) -> Order | Cart:
    order = _find(session, request)
    cart: Cart = {}
    if order is None:
        cart = {item.product_id: item.quantity for item in items_of(session, request.claims.user_id)}
        if not cart:
            # Another request with this key may have taken the cart since.
            order = _find(session, request)
    if order:
        announce(session, order)
        make_durable(session)
        return order
    if not cart:
        raise Conflict("cart-empty", "Cart empty", "There is nothing in the cart to order.")
    return cart


def _insert(session: Session, request: Request, cart: Cart, reservation: Reservation) -> Order:
    user_id = request.claims.user_id
    currencies = {item.price.currency for item in reservation.items}
    if len(currencies) != 1:
        raise InvalidInput.of("cart", "all products of an order must have one currency")
    values = {
        "id": uuid.uuid4(),
        "user_id": user_id,
        "idempotency_key": request.key,
        "fingerprint": request.fingerprint,
        "reservation_id": reservation.id,
        "status": PLACED,
        "note": request.note,
        "amount": sum(item.quantity * item.price.amount for item in reservation.items),
        "currency": currencies.pop(),
        "announced_at": func.now(),
    }
    # Waits for another request with the same key that has not committed yet.
    statement = (
        insert(Order).values(values).on_conflict_do_nothing(index_elements=["user_id", "idempotency_key"])
    )
    made = session.scalar(statement.returning(Order.id))
    if made:
        _take_cart(session, user_id, cart)
        session.add_all(_items(made, reservation))
        session.flush()
    order = _find(session, request)
    if order is None:
        raise RuntimeError("an order that was just inserted is not there")
    if made:
        publish(session, OrderCreated.of(order), subject=str(order.id))
        metrics.count(session, PLACED)
    else:
        announce(session, order)
        make_durable(session)
    return order


def _take_cart(session: Session, user_id: uuid.UUID, cart: Cart) -> None:
    statement = (
        delete(CartItem).where(CartItem.user_id == user_id).returning(CartItem.product_id, CartItem.quantity)
    )
    rows = session.execute(statement.execution_options(synchronize_session=False)).all()
    if {product_id: quantity for product_id, quantity in rows} != cart:
        raise CartChanged


def _items(order_id: uuid.UUID, reservation: Reservation) -> list[OrderItem]:
    return [
        OrderItem(
            order_id=order_id,
            product_id=item.product_id,
            quantity=item.quantity,
            name=item.name,
            amount=item.price.amount,
            currency=item.price.currency,
        )
        for item in reservation.items
    ]


def announce(session: Session, order: Order) -> None:
    """Put order.created into the outbox, once. An order of the release before events is placed by this."""
    unannounced = Order.id == order.id, Order.announced_at.is_(None)
    statement = update(Order).where(*unannounced).values(announced_at=func.now()).returning(Order.id)
    if session.scalar(statement.execution_options(synchronize_session=False)) is None:
        return
    if order.status == PENDING:
        order.status = PLACED
    if order.status == PLACED:
        publish(session, OrderCreated.of(order), subject=str(order.id))
