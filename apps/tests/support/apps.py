"""Databases, settings and users of the applications under test."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from tandem_common.migrations import upgrade
from tandem_common.settings import DatabaseSettings
from werkzeug.test import TestResponse

from support.postgres import PASSWORD, Server


def database_settings(server: Server, name: str, *, user: str | None = None, **more: Any) -> dict[str, Any]:
    """What a service is told about its database."""
    dsn = server.dsn(name, user or name, target_session_attrs="read-write", application_name=name)
    return {"database_dsn": dsn, "database_password": PASSWORD, "service_name": name, **more}


def prepare(server: Server, package: str) -> Server:
    """Make the application's database, with the newest schema."""
    server.add_database(package)
    upgrade(DatabaseSettings(**database_settings(server, package, user=f"{package}_owner")), package)
    return server


def empty(server: Server, name: str) -> None:
    """Remove all rows, whoever still has them locked."""
    server.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = %s and state <> 'idle' and pid <> pg_backend_pid()",
        name,
        (name,),
    )
    tables = server.execute("select tablename from pg_tables where schemaname = 'public'", name)
    names = ", ".join(table for (table,) in tables if table != "alembic_version")
    server.execute(f"truncate {names}", name)


@dataclass
class Shopper:
    """A user of the orders service."""

    app: Flask
    token: str

    def send(self, method: str, path: str, key: str | None = None, **more: Any) -> TestResponse:
        """A request with this user's token; each has a client of its own, so that threads may call it."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.app.test_client().open(path, method=method, headers=headers, **more)

    def put(self, product_id: int, quantity: int = 1) -> TestResponse:
        return self.send("POST", "/cart", json={"product_id": product_id, "quantity": quantity})

    def check_out(self, key: str, **more: Any) -> TestResponse:
        return self.send("POST", "/orders/checkout", key, **more)

    def orders(self) -> list[dict[str, Any]]:
        answer = self.send("GET", "/orders?size=100")
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        found: list[dict[str, Any]] = answer.json["items"]
        return found
