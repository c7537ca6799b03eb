"""Command line: users migrate, expire."""

import structlog
from tandem_common.commands import Command, run
from tandem_common.database import Database
from tandem_common.settings import DatabaseSettings

from users import refresh

log = structlog.get_logger(__name__)


def main() -> int:
    """Run the command that was asked for."""
    return run("users", {"expire": Command("delete refresh tokens that are past use", expire)})


def expire(settings: DatabaseSettings) -> None:
    """Delete all families of refresh tokens that have expired."""
    database = Database(settings)
    total = 0
    while count := refresh.expire(database):
        total += count
    log.info("refresh tokens expired", families=total)
