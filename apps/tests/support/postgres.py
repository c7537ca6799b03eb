"""A throw-away PostgreSQL server, from the installed Debian package."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

PASSWORD = "only-for-tests"
SETTINGS = {
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "max_wal_senders": "4",
    "wal_level": "logical",
    "timezone": "UTC",
}


@dataclass
class Server:
    """A running server that listens on 127.0.0.1."""

    folder: Path
    programs: Path
    port: int

    @classmethod
    @contextmanager
    def started(cls, pattern: Path | None = None) -> Iterator["Server"]:
        """Make one, if given as a copy of `pattern` (quicker), and remove it afterwards."""
        programs = _programs()
        folder = Path(tempfile.mkdtemp(prefix="apps-postgres-"))
        server = cls(folder, programs, _free_port())
        try:
            _give_to_postgres(folder)
            if pattern is None:
                server._create()
            else:
                subprocess.run(["cp", "-a", pattern, server.data], check=True)
            server._configure()
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def _create(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        _give_to_postgres(password)
        options = [
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        self.run("initdb", "-D", self.data, f"--pwfile={password}", *options)

    def _configure(self) -> None:
        lines = [f"{name} = '{value}'" for name, value in SETTINGS.items()]
        lines += [f"port = {self.port}", "unix_socket_directories = ''"]
        with Path(self.data, "postgresql.conf").open("a") as file:
            file.write("\n".join([*lines, "listen_addresses = '127.0.0.1'", ""]))

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as a user that it accepts (it refuses root)."""
        command = [str(self.programs / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.folder)
        if done.returncode:
            log = self.folder / "log"
            told = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}{told}")

    def start(self) -> None:
        self.run("pg_ctl", "-D", self.data, "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        if Path(self.data, "postmaster.pid").exists():
            self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def processes(self) -> list[int]:
        """The postmaster and its children."""
        postmaster = int(Path(self.data, "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def kill(self) -> None:
        """All at once, as when the power goes."""
        processes = self.processes()
        for process in processes:
            with suppress(ProcessLookupError):  # a session that ended by itself meanwhile
                os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{process}/exe").exists() for process in processes):
            assert time.monotonic() < deadline, "the server does not die"
            time.sleep(0.01)
        # Process 1 of a container may not collect the dead, and PostgreSQL would think that they still run.
        Path(self.data, "postmaster.pid").unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        """Stop or continue all processes."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def dsn(self, database: str = "postgres", user: str = "postgres", **more: Any) -> str:
        """A connection string without the password."""
        given = {
            "host": "127.0.0.1",
            "port": self.port,
            "dbname": database,
            "user": user,
            "connect_timeout": 2,
        }
        return " ".join(f"{name}={value}" for name, value in {**given, **more}.items())

    def execute(self, statement: str, database: str = "postgres", parameters: Any = None) -> list[Any]:
        """Run a statement as the superuser, outside a transaction; its rows."""
        connection = psycopg2.connect(self.dsn(database), password=PASSWORD)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def add_database(self, name: str) -> None:
        """A database with its owner and its runtime role, as the platform makes them."""
        owner = f"{name}_owner"
        self.execute(f"create role {owner} login password '{PASSWORD}'")
        self.execute(f"create role {name} login password '{PASSWORD}'")
        self.execute(f"create database {name} owner {owner}")
        self.execute(f"revoke all on database {name} from public", name)
        self.execute(f"grant connect on database {name} to {name}", name)
        for right, kind in (("select, insert, update, delete", "tables"), ("usage, select", "sequences")):
            self.execute(f"alter default privileges for role {owner} grant {right} on {kind} to {name}", name)

    def require_missing_standby(self, missing: bool) -> None:
        """Make every COMMIT wait for a standby that does not exist, or no longer."""
        self.execute(f"alter system set synchronous_standby_names = '{'ghost' if missing else ''}'")
        self.execute("select pg_reload_conf()")
        wanted = "ghost" if missing else ""
        while self.execute("show synchronous_standby_names")[0][0] != wanted:
            time.sleep(0.01)

    def wait_for_commit_wait(self, seconds: float = 5) -> int:
        """Process id of a backend whose COMMIT waits for the standby."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            rows = self.execute("select pid from pg_stat_activity where wait_event = 'SyncRep'")
            if rows:
                return int(rows[0][0])
            time.sleep(0.01)
        raise AssertionError("no COMMIT waits")


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL's server is missing: apt-get install postgresql")
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _give_to_postgres(path: Path) -> None:
    if os.getuid() == 0:
        entry = pwd.getpwnam("postgres")
        os.chown(path, entry.pw_uid, entry.pw_gid)
