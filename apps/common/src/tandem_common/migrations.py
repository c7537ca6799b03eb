"""Runs a service's Alembic migrations, as the owner of its database."""

import time

import structlog
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text

from tandem_common import deadlines
from tandem_common.database import owner_engine
from tandem_common.settings import DatabaseSettings

log = structlog.get_logger(__name__)
WAIT_SECONDS = 60.0
"""How long to wait for a primary; all migrations of one release may then take ten times this."""
LOCK_KEY = 0x54616E64656D
"""Of the advisory lock that makes two runs at once wait for each other."""


def upgrade(settings: DatabaseSettings, package: str) -> None:
    """Bring the database to the newest revision of `package`.migrations; running it again changes nothing.

    Safe to repeat after any failure: each revision is one transaction together with its own record.
    """
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.set_main_option("path_separator", "os")
    engine = owner_engine(settings)
    with deadlines.within(WAIT_SECONDS):
        connection = engine.connect()
    started = time.monotonic()
    with deadlines.within(WAIT_SECONDS * 10), connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": LOCK_KEY})
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _refuse_unreplicated(connection)
    log.info("migrated", package=package, seconds=round(time.monotonic() - started, 1))


def _refuse_unreplicated(connection: Connection) -> None:
    notices = connection.connection.driver_connection.notices  # type: ignore[union-attr]
    if notices:
        raise RuntimeError(f"run the migration again, its outcome is unknown: {' '.join(notices)}")


def run_environment(metadata: MetaData) -> None:
    """Body of each service's migrations/env.py."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
