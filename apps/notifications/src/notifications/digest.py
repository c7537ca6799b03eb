"""The daily digest for the shop's operators: yesterday's orders, as far as notifications was told of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database

from notifications.models import Mail, OrderStep
from notifications.senders import Message, Sender
from notifications.texts import day as write_day
from notifications.texts import money, write

STEPS = ("paid", "shipped", "rejected")
Sums = dict[str, list[tuple[int, int, str]]]
"""By step: number of orders, their amount, its currency."""


def send(database: Database, sender: Sender, recipient: str, language: str, domain: str, day: date) -> bool:
    """Send the digest of a day (UTC), unless it was sent; whether it was sent now."""
    message_id = f"digest.{day.isoformat()}@{domain}"
    found = database.transaction(lambda session: _look(session, message_id, day))
    if found is None:
        return False
    subject = write(language, "digest.subject", day=write_day(day, language))
    sender.send(Message(message_id, recipient, subject, text(found, day, language), language))
    row = {"message_id": f"<{message_id}>", "kind": "digest"}
    database.transaction(lambda session: _note(session, row))
    return True


def text(found: Sums, day: date, language: str) -> str:
    """The digest's text."""
    lines = {step: _line(found.get(step, []), language) for step in STEPS}
    return write(language, "digest.text", day=write_day(day, language), **lines)


def _line(rows: Sequence[tuple[int, int, str]], language: str) -> str:
    if not rows:
        return "0"
    sums = " + ".join(money(amount, currency, language) for _, amount, currency in rows)
    return write(language, "digest.line", count=sum(count for count, _, _ in rows), sums=sums)


def _look(session: Session, message_id: str, day: date) -> Sums | None:
    """The day's orders; None if their digest was sent."""
    if session.get(Mail, f"<{message_id}>"):
        return None
    begin = datetime.combine(day, time(), UTC)
    statement = (
        select(OrderStep.step, func.count(), func.sum(OrderStep.amount), OrderStep.currency)
        .where(OrderStep.at >= begin, OrderStep.at < begin + timedelta(days=1))
        .group_by(OrderStep.step, OrderStep.currency)
        .order_by(OrderStep.step, OrderStep.currency)
    )
    found: Sums = {}
    for step, count, amount, currency in session.execute(statement):
        found.setdefault(step, []).append((count, int(amount), currency))
    return found


def _note(session: Session, row: dict[str, str]) -> None:
    session.execute(insert(Mail).values(row).on_conflict_do_nothing())
