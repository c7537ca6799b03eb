"""A session on the node that does not lead, ready for the moment when it does.

When the primary moves, every process of the platform needs new sessions at the same moment, and the handshakes of all
of them take longer than the promotion's last step. A session that was opened before sees the promotion with one
question and is at once what the next write uses.
"""

import time
from dataclasses import dataclass

import psycopg2
from psycopg2 import extensions

from tandem_common import deadlines

ASK_SECONDS = 0.1
"""Between two questions whether the node takes writes by now."""
ANSWER_SECONDS = 0.5


@dataclass
class Spare:
    """The session, if there is one, and the node on which it is. One thread at a time uses it."""

    node: object = None
    connection: extensions.connection | None = None
    next_ask: float = 0.0

    def put(self, node: object, connection: extensions.connection) -> None:
        """Keep a session, in place of the one that was kept."""
        self.drop()
        self.node, self.connection = node, connection

    def drop(self) -> None:
        """Close the session."""
        if self.connection is not None:
            self.connection.close()
        self.node, self.connection = None, None

    def take(self) -> extensions.connection | None:
        """Hand the session over, if its node takes writes now; asks at most every ASK_SECONDS."""
        now = time.monotonic()
        if self.connection is None or now < self.next_ask or not self.takes_writes():
            return None
        connection, self.connection, self.node = self.connection, None, None
        return connection

    def takes_writes(self) -> bool:
        """Ask the node; a session that does not answer is dropped."""
        if self.connection is None:
            return False
        self.next_ask = time.monotonic() + ASK_SECONDS
        try:
            with deadlines.within(ANSWER_SECONDS), self.connection.cursor() as cursor:
                cursor.execute("show transaction_read_only")
                return cursor.fetchone() == ("off",)
        except psycopg2.Error:
            self.drop()
            return False
