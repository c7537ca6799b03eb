"""Command line: notifications migrate, consume, dead-letters, digest."""

import argparse
from datetime import UTC, date, datetime, timedelta

import structlog
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.events import Handlers
from tandem_common.problems import InvalidInput
from tandem_common.settings import BrokerSettings

from notifications import digest
from notifications.orders import Notifier
from notifications.senders import SmsStandIn, Smtp, Undeliverable
from notifications.settings import MailSettings

log = structlog.get_logger(__name__)


def main() -> int:
    """Run the command that was asked for."""
    about = "send the digest of yesterday's orders"
    commands = {"digest": Command(about, send_digest, _digest_arguments, settings=MailSettings)}
    return run("notifications", commands, handlers=handlers)


def handlers(_settings: BrokerSettings) -> Handlers:
    """The handler of each event, over the mail server of the environment."""
    settings = MailSettings.load()
    notifier = Notifier(Database(settings), Smtp(settings), SmsStandIn(), settings.message_domain)
    return notifier.handlers()


def _digest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="of another day than yesterday (UTC)"
    )


def send_digest(settings: MailSettings, *, day: date | None) -> None:
    """Send it to the operators' address, once per day."""
    if settings.digest_to is None:
        raise InvalidInput.of("DIGEST_TO", "is not set: nobody would get the digest")
    wanted = day or datetime.now(UTC).date() - timedelta(days=1)
    try:
        sent = digest.send(
            Database(settings),
            Smtp(settings),
            settings.digest_to,
            settings.digest_language,
            settings.message_domain,
            wanted,
        )
    except Undeliverable as error:
        raise InvalidInput.of("DIGEST_TO", str(error)) from error
    log.info("digest", day=wanted.isoformat(), sent=sent)
