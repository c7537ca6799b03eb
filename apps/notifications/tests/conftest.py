"""notifications over a real database and the lab's mail server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from notifications.orders import Notifier
from notifications.senders import Smtp
from notifications.settings import MailSettings
from support.apps import empty
from support.desk import DOMAIN, Desk, Sms
from support.postgres import Server
from support.world import Mailbox, mailbox
from tandem_common.database import Database


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Mailbox]:
    with mailbox(tmp_path) as running:
        yield running


@pytest.fixture
def desk(
    notifications_database: Server, notifications_settings: dict[str, Any], box: Mailbox
) -> Iterator[Desk]:
    sender = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_from": f"shop@{DOMAIN}"}
    settings = MailSettings(**notifications_settings, **sender)
    database, sms = Database(settings), Sms()
    notifier = Notifier(database, Smtp(settings), sms, settings.message_domain)
    yield Desk(notifications_database, database, notifier, box, sms, settings)
    database.close()
    empty(notifications_database, "notifications")
