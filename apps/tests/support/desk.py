"""notifications without a broker."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from notifications.orders import Notifier
from notifications.senders import Message
from notifications.settings import MailSettings
from tandem_common.database import Database

from support.consuming import handle
from support.postgres import Server
from support.world import Mailbox

DOMAIN = "tandem.test"


@dataclass
class Sms:
    """Keeps what a provider of SMS would be given."""

    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message)


@dataclass(frozen=True)
class Desk:
    """The service and what it talks to."""

    server: Server
    database: Database
    notifier: Notifier
    mailbox: Mailbox
    sms: Sms
    settings: MailSettings

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Take one event; raises what would make a consumer try again."""
        handle(self.database, self.notifier.handlers(), kind, data)

    def user(self, language: str = "en", **more: Any) -> str:
        """Somebody who has registered."""
        user_id = str(uuid.uuid4())
        known = {"email": "ann@example.org", "name": "Ann", "language": language}
        self.tell("user.registered", {"user_id": user_id, **known, **more})
        return user_id

    def rows(self, statement: str) -> list[Any]:
        return self.server.execute(statement, "notifications")


def step(user_id: str, **more: Any) -> dict[str, Any]:
    """Any event about an order of this user."""
    return {
        "order_id": str(uuid.uuid4()),
        "user_id": user_id,
        "amount": 138000,
        "currency": "RUB",
        "items": [{"product_id": 1, "quantity": 2, "name": "Enamel mug", "amount": 69000, "currency": "RUB"}],
        "tracking": "TND1",
        "reason": "sold_out",
        **more,
    }
