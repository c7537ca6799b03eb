"""Command line: audit migrate, consume, dead-letters, expire."""

import argparse

import structlog
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from audit.history import LEAST_DAYS, History
from audit.recording import handlers

log = structlog.get_logger(__name__)


def main() -> int:
    """Run the command that was asked for."""
    return run("audit", {"expire": Command("delete old events", expire, _days)}, handlers=handlers)


def expire(settings: DatabaseSettings, older_than_days: int) -> None:
    """Delete events older than this."""
    history = History(Database(settings))
    total = 0
    while count := history.expire(older_than_days):
        total += count
    log.info("events expired", events=total)


def _days(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than-days", type=_number_of_days, required=True, metavar="N", help=f"at least {LEAST_DAYS}"
    )


def _number_of_days(text: str) -> int:
    days = int(text)
    if not LEAST_DAYS <= days <= 36_500:
        raise argparse.ArgumentTypeError(f"must be {LEAST_DAYS} to 36500")
    return days
