# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The connection to the service's own database, with the driver that its release brings."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

DRIVERS = ("psycopg2", "psycopg")
# Shorter than what cuts the connection, so that the server gives up first.
OPTIONS = (
    "-c statement_timeout=6000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=6000"
    " -c synchronous_commit=on -c client_min_messages=warning"
)


def driver() -> Any:
    """Return the database driver that the release brings."""
    for name in DRIVERS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise SystemExit(f"the release brings neither {' nor '.join(DRIVERS)}; add one to its lock")


def passing(module: Any) -> tuple[type[Exception], ...]:
    """Return the driver's errors of a server that is away, on its way out, or no primary any more."""
    return module.OperationalError, module.InterfaceError, module.InternalError


def connector(module: Any, job: str) -> Callable[[], tuple[Any, list[Any]]]:
    """Return the function that connects to the primary as the service's runtime role; also its warnings, a list."""
    folder = Path(os.environ["CREDENTIALS_DIRECTORY"])

    def connect() -> tuple[Any, list[Any]]:
        password = (folder / "database_password").read_text(encoding="utf-8").strip()
        dsn = os.environ["DATABASE_DSN"]
        connection = module.connect(dsn, password=password, options=OPTIONS, application_name=f"{job}-timer")
        if hasattr(connection, "notices"):  # psycopg2
            return connection, connection.notices
        warnings: list[Any] = []
        connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
        return connection, warnings

    return connect
