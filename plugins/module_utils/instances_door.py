# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The host's door: HAProxy's runtime interface, by which instances and services are taken out and put back.

In the door, service x is the backend svc_x, and its instances are the servers i1, i2, …. A service in the drain
map answers 503 to the health checks of edges and other hosts, so that they send its requests elsewhere.
"""

from __future__ import annotations

import csv
import socket
from dataclasses import dataclass
from pathlib import Path

SOCKET = Path("/run/haproxy/admin.sock")
DRAIN_MAP = "/etc/haproxy/drain.map"
CALL_SECONDS = 10.0
MAX_ANSWER = 16 * 1024 * 1024


class DoorError(Exception):
    """HAProxy does not answer or refuses; the message has the command and the answer."""


@dataclass(frozen=True)
class Server:
    """An instance as the door sees it."""

    status: str
    sessions: int

    @property
    def usable(self) -> bool:
        """Whether it gets new requests."""
        return self.status.startswith(("UP", "no check"))

    @property
    def drained(self) -> bool:
        """Whether somebody took it out."""
        return self.status.startswith(("DRAIN", "MAINT")) or "(agent)" in self.status


class Door:
    """Commands to HAProxy on its runtime socket."""

    def __init__(self, path: Path = SOCKET) -> None:
        self.path = path

    @property
    def present(self) -> bool:
        """Whether HAProxy runs here."""
        return self.path.exists()

    def servers(self, service: str) -> dict[int, Server]:
        """Return a service's instances by number; {} when there is no door or the door doesn't know it."""
        if not self.present:
            return {}
        return self.all_servers().get(service, {})

    def all_servers(self) -> dict[str, dict[int, Server]]:
        """Return the instances of all services that the door knows."""
        if not self.present:
            return {}
        lines = self.ask("show stat -1 4 -1").lstrip("# ").splitlines()
        found: dict[str, dict[int, Server]] = {}
        for row in csv.DictReader(lines):
            backend, name = row["pxname"], row["svname"]
            if backend.startswith("svc_") and name[:1] == "i" and name[1:].isdecimal():
                server = Server(row["status"], int(row["scur"] or 0) + int(row["qcur"] or 0))
                found.setdefault(backend.removeprefix("svc_"), {})[int(name[1:])] = server
        return found

    def take_out(self, service: str, number: int) -> None:
        """Send an instance no new requests; those in flight go on."""
        self.ask(f"set server svc_{service}/i{number} state drain", answer="")

    def put_back(self, service: str, number: int, healthy: bool) -> None:
        """Let an instance have requests again, at once when it is known to be healthy."""
        if healthy:
            self.ask(f"set server svc_{service}/i{number} health up", answer="")
        self.ask(f"set server svc_{service}/i{number} state ready", answer="")

    def close(self, service: str, number: int) -> None:
        """Take an instance that does not run out of the door until it is put back."""
        self.ask(f"set server svc_{service}/i{number} state maint", answer="")

    def requests(self) -> dict[str, int]:
        """Return by service how many requests this HAProxy process has handed to it, {} without a door."""
        if not self.present:
            return {}
        rows = csv.DictReader(self.ask("show stat -1 2 -1").lstrip("# ").splitlines())
        return {
            row["pxname"].removeprefix("svc_"): int(row["stot"] or 0)
            for row in rows
            if row["pxname"].startswith("svc_") and row["svname"] == "BACKEND"
        }

    def process(self) -> str:
        """Return the id of the HAProxy process that answers; a reload makes another one, which counts anew."""
        lines = self.ask("show info").splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("Pid:")), "")

    def drained_services(self) -> set[str]:
        """Return the services in the drain map."""
        if not self.present:
            return set()
        lines = self.ask(f"show map {DRAIN_MAP}").splitlines()
        return {line.split()[1] for line in lines if len(line.split()) >= 2}

    def drain(self, service: str) -> None:
        """Let the checks of edges and other hosts fail for a service on this host."""
        if service not in self.drained_services():
            self.ask(f"add map {DRAIN_MAP} {service} 1", answer="")

    def undrain(self, service: str) -> None:
        """Let the checks succeed again."""
        if service in self.drained_services():
            self.ask(f"del map {DRAIN_MAP} {service}", answer="")

    def ask(self, command: str, answer: str | None = None) -> str:
        """Send a command and return the answer. Raises `DoorError` when it is not the expected one."""
        try:
            said = self._talk(command)
        except OSError as error:
            raise DoorError(f"HAProxy does not answer on {self.path}: {error}") from None
        if answer is not None and said.strip() != answer:
            raise DoorError(f"HAProxy refused '{command}': {said.strip()}")
        return said

    def _talk(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CALL_SECONDS)
            connection.connect(str(self.path))
            connection.sendall(command.encode() + b"\n")
            chunks: list[bytes] = []
            while sum(map(len, chunks)) < MAX_ANSWER:
                chunk = connection.recv(65536)
                if not chunk:
                    break
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", "replace")
