"""The database of the service, if its catalog entry has one."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

TABLE = """create table if not exists greetings (id bigserial primary key, said_at timestamptz default now());
alter table greetings add column if not exists moment timestamptz"""
# `moment`: of the timer, of a greeting that it said.


def configured() -> bool:
    """Tell whether there is a database."""
    return "DATABASE_DSN" in os.environ


def connect() -> connection:
    """Open a connection; the platform hands over the DSN in the environment, the password as a credential."""
    password = Path(os.environ["CREDENTIALS_DIRECTORY"], "database_password").read_text()
    return psycopg2.connect(os.environ["DATABASE_DSN"], password=password)


def run(sql: str, *values: str) -> list[tuple[object, ...]]:
    """Run one statement in a transaction of its own and return its rows."""
    opened = connect()
    try:
        with opened, opened.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        opened.close()
