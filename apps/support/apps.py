"""Databases and settings of the applications under test."""

from typing import Any

from sqlalchemy import MetaData
from support.postgres import PASSWORD, Server
from tandem_common.migrations import upgrade
from tandem_common.settings import DatabaseSettings


def database_settings(server: Server, name: str, *, user: str | None = None, **more: Any) -> dict[str, Any]:
    """What a service is told about its database."""
    dsn = server.dsn(name, user or name, target_session_attrs="read-write", application_name=name)
    return {"database_dsn": dsn, "database_password": PASSWORD, "service_name": name, **more}


def migrate(server: Server, package: str) -> None:
    """Bring the database to the newest schema, as its owner."""
    settings = database_settings(server, package, user=f"{package}_owner")
    upgrade(DatabaseSettings(**settings), package)


def empty(server: Server, name: str, metadata: MetaData) -> None:
    """Remove all rows."""
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    server.execute(f"truncate {tables}", name)
