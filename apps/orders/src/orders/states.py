"""What becomes of an order. Each event has its own queue, so they may come in another order than they were sent."""

from orders.models import CANCELLED, PACKED, PAID, PLACED, REJECTED, SHIPPED

FORWARD = (PLACED, PAID, PACKED, SHIPPED)
FINAL = frozenset({SHIPPED, REJECTED, CANCELLED})
CANCELLABLE = frozenset({PLACED})


def after(present: str, told: str) -> str:
    """The status after order-processing told one: only ever forward, and never out of a final one."""
    if present in FINAL:
        return present
    if told == REJECTED:
        return REJECTED
    return max(present, told, key=FORWARD.index)
