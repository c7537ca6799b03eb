"""Carts."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.problems import Conflict, InvalidInput
from tandem_common.tokens import Claims

from orders.models import CartItem
from orders.products import Products

MAX_LINES = 100
EXPIRE_AT_ONCE = 100


@dataclass(frozen=True)
class Carts:
    """Each user's cart."""

    database: Database
    products: Products

    def get(self, user_id: uuid.UUID) -> Sequence[CartItem]:
        """The cart, by product id."""
        return self.database.read(lambda session: items_of(session, user_id), fresh=True)

    def put(self, claims: Claims, product_id: int, quantity: int) -> Sequence[CartItem]:
        """Set the quantity of a product (0 takes it out); the whole cart afterwards.

        Raises InvalidInput (no such product) and Conflict (too many different products).
        """
        if quantity and not self.products.exists(product_id, claims.token):
            raise InvalidInput.of("product_id", f"there is no product {product_id}")
        user_id = claims.user_id

        def work(session: Session) -> Sequence[CartItem]:
            if quantity:
                _set(session, user_id, product_id, quantity)
            else:
                gone = CartItem.user_id == user_id, CartItem.product_id == product_id
                session.execute(delete(CartItem).where(*gone).execution_options(synchronize_session=False))
            return items_of(session, user_id)

        return self.database.transaction(work)


def items_of(session: Session, user_id: uuid.UUID) -> Sequence[CartItem]:
    """Rows of a user's cart, by product id."""
    return session.scalars(
        select(CartItem).where(CartItem.user_id == user_id).order_by(CartItem.product_id)
    ).all()


def expire(database: Database, unused: timedelta) -> int:
    """Empty carts in which nothing was changed for so long; the number of rows that went."""
    newest = func.max(CartItem.changed_at) < func.now() - unused
    users = select(CartItem.user_id).group_by(CartItem.user_id).having(newest).limit(EXPIRE_AT_ONCE)

    def work(session: Session) -> int:
        gone = delete(CartItem).where(CartItem.user_id.in_(users)).returning(CartItem.product_id)
        return len(session.scalars(gone.execution_options(synchronize_session=False)).all())

    return database.transaction(work)


def _set(session: Session, user_id: uuid.UUID, product_id: int, quantity: int) -> None:
    statement = insert(CartItem).values(user_id=user_id, product_id=product_id, quantity=quantity)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[CartItem.user_id, CartItem.product_id],
            set_={"quantity": quantity, "changed_at": func.now()},
        )
    )
    count = session.scalar(select(func.count()).select_from(CartItem).where(CartItem.user_id == user_id)) or 0
    if count > MAX_LINES:
        raise Conflict("cart-full", "Cart full", f"A cart holds at most {MAX_LINES} different products.")
