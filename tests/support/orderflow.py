"""The offline checker of the order flow: acknowledged orders beside what became of them everywhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FINAL = frozenset({"shipped", "rejected", "cancelled"})
MAIL_OF = {"shipped": ("paid", "shipped"), "rejected": ("rejected",), "cancelled": ()}
"""Kinds of mail that an order must have led to, by its last status."""


@dataclass(frozen=True)
class Found:
    """What there is after a run, when everything is quiet."""

    orders: Mapping[str, str]
    """Status by order id, as orders lists them."""
    payments: Collection[Mapping[str, Any]]
    """The provider's list (`GET /payments`)."""
    shipments: Collection[str]
    """Order ids of the parcels that were not called back."""
    mails: Collection[Mapping[str, Any]]
    """The mail server's list (`GET /mails`)."""
    unsent: Mapping[str, int] = field(default_factory=dict)
    """Rows by outbox."""
    queued: Mapping[str, int] = field(default_factory=dict)
    """Messages by queue, dead letters too."""
    stock: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """By product: available + held + confirmed, and what was ever put in stock."""


def check(acknowledged: Iterable[str], found: Found) -> list[str]:
    """Every contradiction, [] when there is none."""
    problems: list[str] = []
    for order in sorted(set(acknowledged) | set(found.orders)):
        problems += _order(order, found.orders.get(order), found)
    problems += [f"outbox of {name}: {count} rows left" for name, count in found.unsent.items() if count]
    problems += [f"queue {name}: {count} messages left" for name, count in found.queued.items() if count]
    problems += [
        f"product {product}: {now} pieces, {put} were put in stock"
        for product, (now, put) in found.stock.items()
        if now != put
    ]
    known = set(found.orders)
    strangers = {str(payment["order_id"]) for payment in found.payments} - known
    problems += [f"a payment for order {order}, which nobody lists" for order in sorted(strangers)]
    return problems


def _order(order: str, status: str | None, found: Found) -> list[str]:
    if status is None:
        return [f"order {order} was acknowledged and is not there"]
    if status not in FINAL:
        return [f"order {order} is still {status}"]
    mine = [payment for payment in found.payments if payment["order_id"] == order]
    kept = sum(payment["status"] == "accepted" and not payment["refund_id"] for payment in mine)
    parcels = Counter(found.shipments)[order]
    wanted = int(status == "shipped")
    problems = []
    if len(mine) > 1:
        problems.append(f"order {order} has {len(mine)} payments")
    if kept != wanted:
        problems.append(f"order {order} is {status} and has {kept} payments that were kept")
    if parcels != wanted:
        problems.append(f"order {order} is {status} and has {parcels} parcels")
    return problems + _mails(order, status, found)


def _mails(order: str, status: str, found: Found) -> list[str]:
    """A mail may be delivered twice, with one Message-ID."""
    ids = {str(mail["message_id"]) for mail in found.mails if f".{order}@" in str(mail["message_id"] or "")}
    kinds = Counter(name.removeprefix("<").partition(".")[0] for name in ids)
    missing = [kind for kind in MAIL_OF[status] if not kinds[kind]]
    doubled = [kind for kind, count in kinds.items() if count > 1]
    return [f"order {order} is {status} and has no mail {kind}" for kind in missing] + [
        f"order {order} has {kinds[kind]} Message-IDs of kind {kind}" for kind in doubled
    ]
