"""The offline checker: what clients were told, beside what the shop has afterwards."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

WRITES = ("cart", "checkout")


@dataclass(frozen=True)
class Attempt:
    """One request: operation, edge, start (s since the epoch), duration (ms), status or error."""

    op: str
    edge: str
    t: float
    ms: float
    status: int | None
    error: str | None

    @property
    def failed(self) -> bool:
        """Whether a user saw a failure: no answer, or a refusal, as nobody asks for anything wrong."""
        if self.status is None or self.status >= 400:
            return True
        return self.op in ("page", "asset") and self.status != 200

    @property
    def succeeded(self) -> bool:
        """Whether it was answered with success."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Ack:
    """An acknowledged order: idempotency key, order id, user, time of the answer (s since the epoch)."""

    key: str
    order: Any
    email: str
    t: float


@dataclass
class Ledger:
    """What the clients of one run saw."""

    acks: list[Ack] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    gave_up: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, list[Any]] = field(default_factory=dict)
    started: float = 0.0
    planned_end: float = 0.0

    @classmethod
    def read(cls, lines: Iterable[str]) -> Ledger:
        """Build a ledger from the lines that shopload prints."""
        ledger = cls()
        for text in lines:
            line = json.loads(text)
            kind = line.pop("kind")
            if kind == "ack":
                ledger.acks.append(Ack(**line))
            elif kind == "attempt":
                ledger.attempts.append(Attempt(**{"status": None, "error": None, **line}))
            elif kind == "gaveup":
                ledger.gave_up.append(line)
            elif kind == "orders":
                ledger.orders[line["email"]] = line["ids"]
            elif kind == "started":
                ledger.started = line["t"]
            elif kind == "planned-end":
                ledger.planned_end = line["t"]
        return ledger

    @property
    def emails(self) -> list[str]:
        """The users that placed orders, acknowledged or not."""
        return sorted(
            {ack.email for ack in self.acks} | {line["email"] for line in self.gave_up if line["email"]}
        )

    def write_gap(self) -> float:
        """Longest time (s) without an acknowledged write (a cart or an order), from the first planned to the last."""
        done = (a.t + a.ms / 1000 for a in self.attempts if a.op in WRITES and a.succeeded)
        times = [self.started, *sorted(moment for moment in done if moment >= self.started)]
        if self.planned_end:
            times.append(max(self.planned_end, times[-1]))
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def read_gap(self, edge: str) -> float:
        """Longest time (s) without a successful read through one edge."""
        good = sorted(a.t for a in self.attempts if a.op == "read" and a.edge == edge and not a.failed)
        times = [self.started, *good, max(self.planned_end, good[-1] if good else self.planned_end)]
        return max(later - earlier for earlier, later in pairwise(times))

    def failures(self) -> list[Attempt]:
        """Requests that failed after the load had started, in order of time."""
        return sorted((a for a in self.attempts if a.failed and a.t >= self.started), key=lambda a: a.t)

    def percentile(self, op: str, share: float) -> float:
        """Latency (ms) of successful requests of one operation at a share (0..1) of them."""
        times = sorted(a.ms for a in self.attempts if a.op == op and not a.failed and a.t >= self.started)
        return times[min(len(times) - 1, int(len(times) * share))] if times else float("nan")


def check(ledger: Ledger, listed: dict[str, list[Any]]) -> list[str]:
    """Compare the acknowledged orders with what the shop lists; return every contradiction, [] when there is none.

    An acknowledged order must be listed once. Attempts without an answer are of unknown outcome: each may have
    made one order, never more.
    """
    problems = []
    by_key: dict[str, set[Any]] = defaultdict(set)
    for ack in ledger.acks:
        by_key[ack.key].add(ack.order)
    problems += [
        f"key {key} was answered with {len(ids)} orders: {ids}" for key, ids in by_key.items() if len(ids) > 1
    ]
    owners = Counter(id_ for ids in listed.values() for id_ in ids)
    problems += [f"order {id_} is listed {count} times" for id_, count in owners.items() if count > 1]
    keys_of = Counter[str]()
    for email in {ack.key: ack.email for ack in ledger.acks}.values():
        keys_of[email] += 1
    unknown_of = Counter(line["email"] for line in ledger.gave_up if line["email"])
    for ack in ledger.acks:
        if ack.order not in listed.get(ack.email, []):
            problems.append(
                f"order {ack.order} (key {ack.key}) was acknowledged to {ack.email} and is not there"
            )
    for email, ids in listed.items():
        if len(ids) > keys_of[email] + unknown_of[email]:
            problems.append(
                f"{email} has {len(ids)} orders, but sent {keys_of[email]} acknowledged "
                f"and {unknown_of[email]} unanswered ones"
            )
    return problems
