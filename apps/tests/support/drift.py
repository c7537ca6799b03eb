"""Compares a migrated database with the models."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

from support.postgres import PASSWORD, Server


def drift(server: Server, database: str, metadata: MetaData) -> list[Any]:
    """What Alembic would still have to change."""
    url = f"postgresql+psycopg2://postgres:{PASSWORD}@127.0.0.1:{server.port}/{database}"
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found: list[Any] = compare_metadata(context, metadata)
    engine.dispose()
    return found
