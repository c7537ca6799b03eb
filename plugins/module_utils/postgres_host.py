# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Reaching Postgres and pg_autoctl on a host from a module that runs as root. Needs Debian's python3-psycopg2."""

from __future__ import annotations

import importlib
import os
import pwd
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

psycopg2: Any
try:
    psycopg2 = importlib.import_module("psycopg2")
except ImportError:  # a fresh host in check mode
    psycopg2 = None

USER = "postgres"
HOME = Path("/var/lib/postgresql")
BINARIES = Path("/usr/lib/postgresql/17/bin")
SOCKETS = "/run/postgresql"
POLL_S = 0.2

T = TypeVar("T")


class HostError(Exception):
    """Something on the host did not work; the message is meant for the user."""


def have_driver() -> bool:
    """Whether the database driver is installed (not so on a fresh host in check mode)."""
    return psycopg2 is not None


@contextmanager
def as_postgres() -> Iterator[None]:
    """Act as the user postgres for a while: the server believes the operating system's word (peer)."""
    if os.geteuid() != 0:
        yield
        return
    entry = pwd.getpwnam(USER)
    groups = os.getgroups()
    os.setgroups(os.getgrouplist(USER, entry.pw_gid))
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def connect(dsn: str, limit_ms: int = 5000) -> Any:
    """Autocommit connection; every statement is limited to `limit_ms`. Raises HostError when it can't be made."""
    if psycopg2 is None:
        raise HostError("python3-psycopg2 is not installed")
    options = f"-c statement_timeout={limit_ms} -c lock_timeout={limit_ms}"
    try:
        with as_postgres():
            connection = psycopg2.connect(
                dsn, connect_timeout=3, tcp_user_timeout=5000, options=options, application_name="tandem"
            )
    except psycopg2.Error as error:
        raise HostError(" ".join(str(error).split())) from error
    connection.autocommit = True
    return connection


def local_dsn(port: int, database: str = "postgres") -> str:
    """Connection string to an instance of this host, by socket, as the user postgres."""
    return f"host={SOCKETS} port={port} dbname={database} user={USER}"


def cluster_dsn(address: str, port: int, user: str, database: str, tls: Mapping[str, str]) -> str:
    """Connection string to another host of the cluster, with this host's certificate."""
    return (
        f"host={address} port={port} user={user} dbname={database} sslmode=verify-full"
        f" sslrootcert={tls['ca']} sslcert={tls['certificate']} sslkey={tls['key']}"
    )


def query(
    connection: Any, sql: str, arguments: Sequence[Any] | Mapping[str, Any] = ()
) -> list[tuple[Any, ...]]:
    """Rows of one statement; raises HostError with the server's message."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return list(cursor.fetchall()) if cursor.description else []
    except psycopg2.Error as error:
        raise HostError(" ".join(str(error).split())) from error


def ask(dsn: str, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Connect, ask once, disconnect."""
    connection = connect(dsn)
    try:
        return query(connection, sql, arguments)
    finally:
        connection.close()


def wait_for(condition: Callable[[], T | None], timeout_s: float) -> T | None:
    """Poll until the condition returns something else than None; None after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value is not None or time.monotonic() >= end:
            return value
        time.sleep(POLL_S)


def environment(tls: Mapping[str, str], runtime: str) -> dict[str, str]:
    """Environment of pg_autoctl's commands; the same as its unit's."""
    return {
        "HOME": str(HOME),
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": tls["ca"],
        "PGSSLCERT": tls["certificate"],
        "PGSSLKEY": tls["key"],
        "USER": USER,
        "XDG_RUNTIME_DIR": runtime,
    }


def run(command: Sequence[str], environ: Mapping[str, str], timeout_s: float = 60) -> str:
    """Output (both streams) of a command run as the user postgres; raises HostError with the end of what it said."""
    try:
        done = subprocess.run(
            list(command),
            env=dict(environ),
            cwd=HOME,
            user=USER if os.geteuid() == 0 else None,
            group=USER if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (
            error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        )
        raise HostError(
            f"{command[0]} {command[1]} took longer than {timeout_s:.0f} s; it said:\n{tail(said)}"
        ) from error
    if done.returncode != 0:
        raise HostError(
            f"{' '.join(command[:3])} failed (rc {done.returncode}); it said:\n{tail(done.stdout)}"
        )
    return done.stdout


def tail(text: str, lines: int = 15) -> str:
    """Last lines of a text."""
    return "\n".join(text.strip().splitlines()[-lines:])


def write_durably(path: Path, content: str) -> None:
    """Replace a file of the user postgres in one step and sync it (a torn configuration once cost 160 s)."""
    temporary = path.with_name(f".{path.name}.new")
    entry = pwd.getpwnam(USER)
    with temporary.open("w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o600)
        if os.geteuid() == 0:
            os.fchown(stream.fileno(), entry.pw_uid, entry.pw_gid)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
