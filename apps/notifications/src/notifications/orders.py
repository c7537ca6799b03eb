"""Tells buyers what happened to their orders.

A message is sent before the transaction that notes it as sent. If the process ends between, it is sent again, with the
same Message-ID: at least once, and mail programs show it once.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from tandem_common.database import Database
from tandem_common.events import Event, Handler, Handlers, Reject

from notifications.events import Item, Paid, Registered, Rejected, Shipped, Step
from notifications.models import Mail, OrderStep, User
from notifications.senders import Message, Sender, Undeliverable
from notifications.texts import money, short, write

StepT = TypeVar("StepT", bound=Step)


class UnknownUser(Exception):
    """The order's buyer is not known: user.registered may still be on its way."""


@dataclass(frozen=True)
class Letter:
    """What is to be said, before it is known to whom."""

    kind: str
    subject: Callable[[User], str]
    text: Callable[[User], str]
    sms: Callable[[User], str] | None = None


@dataclass(frozen=True)
class Notifier:
    """Sends each message of each order, once as far as the database knows."""

    database: Database
    mail: Sender
    sms: Sender
    domain: str

    def handlers(self) -> Handlers:
        """The handler of each event."""
        return {
            "user.registered": Handler(data=Registered, apply=_keep_user),
            "order.paid": self._step(Paid, paid),
            "order.shipped": self._step(Shipped, shipped),
            "order.rejected": self._step(Rejected, rejected),
        }

    def _step(self, model: type[StepT], letter: Callable[[StepT], Letter]) -> Handler:
        def prepare(_event: Event, data: StepT) -> list[Mail]:
            return self.tell(data.user_id, data.order_id, letter(data))

        return Handler(data=model, prepare=prepare, apply=_write)

    def tell(self, user_id: uuid.UUID, order_id: uuid.UUID, letter: Letter) -> list[Mail]:
        """Send what was not sent yet; what to note as sent."""
        user = self.database.read(lambda session: session.get(User, user_id), fresh=True)
        if user is None:
            raise UnknownUser(f"user {user_id} is not known (yet)")
        sent = []
        for kind, sender, message in self._messages(user, order_id, letter):
            if not self._is_sent(message.id):
                try:
                    sender.send(message)
                except Undeliverable as error:
                    raise Reject(str(error)) from error
            sent.append(Mail(message_id=f"<{message.id}>", order_id=order_id, kind=kind))
        return sent

    def _messages(self, user: User, order_id: uuid.UUID, letter: Letter) -> list[tuple[str, Sender, Message]]:
        def message(kind: str, recipient: str, text: str) -> Message:
            name = f"{kind}.{order_id}@{self.domain}"
            return Message(name, recipient, letter.subject(user), text, user.language)

        found = [(letter.kind, self.mail, message(letter.kind, user.email, letter.text(user)))]
        if user.phone and letter.sms:
            kind = f"{letter.kind}.sms"
            found.append((kind, self.sms, message(kind, user.phone, letter.sms(user))))
        return found

    def _is_sent(self, message_id: str) -> bool:
        statement = select(Mail.message_id).where(Mail.message_id == f"<{message_id}>")
        return self.database.read(lambda session: session.scalar(statement), fresh=True) is not None


def paid(data: Paid) -> Letter:
    """The receipt."""

    def text(user: User) -> str:
        items = "\n".join(_line(item, user.language) for item in data.items)
        total = money(data.amount, data.currency, user.language)
        values = {"name": user.name, "items": items, "total": total, "order": data.order_id}
        return write(user.language, "paid.text", **values)

    return Letter("paid", lambda user: _subject(user, "paid", data), text)


def _line(item: Item, language: str) -> str:
    amount = money(item.amount * item.quantity, item.currency, language)
    return write(language, "paid.item", quantity=item.quantity, product=item.name, amount=amount)


def shipped(data: Shipped) -> Letter:
    """Where the parcel is."""
    number, tracking = short(data.order_id), data.tracking

    def text(user: User) -> str:
        return write(user.language, "shipped.text", name=user.name, order=data.order_id, tracking=tracking)

    def sms(user: User) -> str:
        return write(user.language, "shipped.sms", number=number, tracking=tracking)

    return Letter("shipped", lambda user: _subject(user, "shipped", data), text, sms)


def rejected(data: Rejected) -> Letter:
    """Why nothing will come."""

    def text(user: User) -> str:
        return write(user.language, f"rejected.{data.reason}.text", name=user.name, order=data.order_id)

    return Letter("rejected", lambda user: _subject(user, "rejected", data), text)


def _subject(user: User, kind: str, data: Step) -> str:
    return write(user.language, f"{kind}.subject", number=short(data.order_id))


def _keep_user(session: Session, _event: Event, data: Registered, _prepared: Any) -> None:
    values = data.model_dump(exclude={"user_id"})
    statement = insert(User).values(user_id=data.user_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=[User.user_id], set_=values))


def _write(session: Session, event: Event, data: Step, sent: list[Mail]) -> None:
    for mail in sent:
        row = {"message_id": mail.message_id, "order_id": mail.order_id, "kind": mail.kind}
        session.execute(insert(Mail).values(row).on_conflict_do_nothing())
    step = {
        "order_id": data.order_id,
        "step": event.type.rpartition(".")[2],
        "amount": data.amount,
        "currency": data.currency,
        "at": event.time,
    }
    session.execute(insert(OrderStep).values(step).on_conflict_do_nothing())
