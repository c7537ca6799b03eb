"""What the shop counts of its orders: each process what it has committed itself."""

from prometheus_client import Counter
from sqlalchemy.orm import Session
from tandem_common.database import after_commit

from orders.models import CANCELLED, PAID, PLACED, REJECTED, SHIPPED, Order
from orders.states import FORWARD

NAMES = {PLACED: "created", PAID: "paid", SHIPPED: "shipped", REJECTED: "rejected", CANCELLED: "cancelled"}
"""How states are called in the metric."""

ORDERS = Counter("orders", "Orders that came into a state", ["state"], registry=None)
REVENUE = Counter(
    "orders_revenue_cents", "Amounts of orders that were paid, in the currency's smallest unit", registry=None
)
METRICS = (ORDERS, REVENUE)


def passed(before: str, now: str) -> tuple[str, ...]:
    """The states that an order came into; news may come in another order than it was sent, so some are skipped."""
    if now not in FORWARD or before not in FORWARD:
        return (now,)
    return FORWARD[FORWARD.index(before) + 1 : FORWARD.index(now) + 1]


def count(session: Session, *states: str, amount: int = 0) -> None:
    """Count the states, and the amount if the order was paid, when the transaction is committed."""

    def add() -> None:
        for state in states:
            if state in NAMES:
                ORDERS.labels(NAMES[state]).inc()
            if state == PAID:
                REVENUE.inc(amount)

    after_commit(session, add)


def moved(session: Session, order: Order, before: str) -> None:
    """Count that an order has moved on."""
    count(session, *passed(before, order.status), amount=order.amount)
