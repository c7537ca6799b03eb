"""Forgets consumed messages that can't come again."""

import time

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tandem_common.database import Database
from tandem_common.problems import ProblemError

log = structlog.get_logger(__name__)
KEEP_DAYS = 30
"""A dead letter that is sent again later than this is taken for a new one."""
EVERY_SECONDS = 600.0
AT_ONCE = 5000

_PRUNE = text(
    "delete from consumed_messages where (queue, message_id) in ("
    " select queue, message_id from consumed_messages where at < now() - make_interval(days => :days)"
    " limit :at_once for update skip locked)"
)


class Pruning:
    """A piece of that work, now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = time.monotonic() + EVERY_SECONDS

    def now_and_then(self) -> None:
        """Do some of it if it is time; what fails is done next time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            self._database.transaction(prune)
        except (ProblemError, DBAPIError) as error:
            log.warning("old messages are not forgotten yet", reason=" ".join(str(error).split()))


def prune(session: Session) -> None:
    """Forget some old messages."""
    session.execute(_PRUNE, {"days": KEEP_DAYS, "at_once": AT_ONCE})
