"""What became of the lab's orders everywhere: databases, queues, the payment provider and the mail server."""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import pairwise
from typing import Any

from lab import Lab
from lab.outside import MAILS_PORT, PAYMENTS_PORT
from tests.support.cluster import primary, psql
from tests.support.orderflow import FINAL, Found

OUTBOXES = ("users", "orders", "order_processing")
BROKERS = ("msk-data1", "spb-data1", "wit1")
STATUSES = "select coalesce(json_object_agg(id, status), '{}') from orders"
PARCELS = "select coalesce(json_agg(order_id), '[]') from shipments where recalled_at is null"
UNFINISHED = f"select count(*) from orders where status not in ({', '.join(repr(s) for s in sorted(FINAL))})"
# Pieces on the shelf, set aside and sold, by product: what was ever put in stock, if nothing got lost.
STOCK = """select coalesce(json_object_agg(id, available + coalesce(taken, 0)), '{}') from products left join (
  select product_id, sum(quantity) taken from reservation_items join reservations r on r.id = reservation_id
  where r.status in ('held', 'confirmed') group by 1) items on product_id = id"""


def stock(lab: Lab) -> dict[int, int]:
    """Pieces of each product, wherever they are."""
    rows = json.loads(psql(lab, primary(lab), STOCK, "products"))
    return {int(product): int(pieces) for product, pieces in rows.items()}


def queued(lab: Lab) -> dict[str, int]:
    """Messages by queue, dead letters too; asked on any node that answers."""
    command = ["rabbitmqctl", "-q", "--formatter", "json", "list_queues", "-p", "tandem", "name", "messages"]
    answers = []
    for host in BROKERS:
        done = lab.run(host, command, timeout=60)
        if done.returncode == 0:
            return {row["name"]: int(row["messages"]) for row in json.loads(done.stdout)}
        answers.append(f"{host}: {done.stderr[-500:]}")
    raise AssertionError(f"no RabbitMQ node tells its queues: {answers}")


def unsent(lab: Lab) -> dict[str, int]:
    """Rows by outbox."""
    leader = primary(lab)
    return {name: int(psql(lab, leader, "select count(*) from outbox", name)) for name in OUTBOXES}


def outside(lab: Lab, port: int, what: str) -> list[dict[str, Any]]:
    """A list that one of the world's stand-ins keeps; `what` names it and may have a query behind it."""
    address = lab.env()["hosts"]["world"]["address"]
    done = lab.run(
        "world", ["curl", "-sf", "--max-time", "20", f"http://{address}:{port}/{what}"], timeout=30
    )
    done.check_returncode()
    found: list[dict[str, Any]] = json.loads(done.stdout)[what.partition("?")[0]]
    return found


def payment_gap(lab: Lab, start: float, end: float) -> float:
    """Longest time (s) without a payment at the provider between two moments (s since the epoch)."""
    made = sorted(float(payment["made_at"]) for payment in outside(lab, PAYMENTS_PORT, "payments"))
    times = [start, *(moment for moment in made if start <= moment <= end), end]
    return max(later - earlier for earlier, later in pairwise(times))


def queue_leaders(lab: Lab) -> list[str]:
    """Hosts of the broker's nodes, those that lead most queues first."""
    command = ["rabbitmqctl", "-q", "--formatter", "json", "list_queues", "-p", "tandem", "name", "leader"]
    done = lab.run(BROKERS[0], command, timeout=60)
    done.check_returncode()
    count = Counter(
        row["leader"].partition("@")[2].partition(".")[0] for row in json.loads(done.stdout) if row["leader"]
    )
    return [host for host, _ in count.most_common()]


def wait_quiet(lab: Lab, timeout: float = 240) -> float:
    """Wait until every order is final and nothing is on its way; the seconds it took, or fail with what is left."""
    started = time.monotonic()
    left: list[str] = []
    while time.monotonic() - started < timeout:
        left = _left(lab)
        if not left:
            return time.monotonic() - started
        time.sleep(2)
    raise AssertionError(f"orders are not finished after {timeout:.0f} s: {'; '.join(left)}")


def _left(lab: Lab) -> list[str]:
    left = [f"outbox of {name}: {count} rows" for name, count in unsent(lab).items() if count]
    unfinished = int(psql(lab, primary(lab), UNFINISHED, "orders"))
    if unfinished:
        left.append(f"{unfinished} orders are not final")
    if not left:
        left = [f"{name}: {count} messages" for name, count in queued(lab).items() if count]
    return left


def found(lab: Lab, stock_before: dict[int, int]) -> Found:
    """Everything that the offline checker compares."""
    leader = primary(lab)
    now = stock(lab)
    return Found(
        orders=json.loads(psql(lab, leader, STATUSES, "orders")),
        payments=outside(lab, PAYMENTS_PORT, "payments"),
        shipments=json.loads(psql(lab, leader, PARCELS, "order_processing")),
        mails=outside(lab, MAILS_PORT, "mails"),
        unsent=unsent(lab),
        queued=queued(lab),
        stock={product: (now.get(product, 0), pieces) for product, pieces in stock_before.items()},
    )
