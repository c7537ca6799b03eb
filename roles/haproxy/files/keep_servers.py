# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Write down which servers HAProxy uses, before a reload, so that the process after it begins with the same.

Usage: keep_servers.py SOCKET CONFIGURATION FILE
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

CALL_SECONDS = 5.0
# Columns of the state of a server; the first two lines are the format's version and the names of the columns.
BACKEND, SERVER, OPERATION, ADMIN, PORT = 1, 3, 5, 6, 18
DOWN = "0"
# Bits of the column ADMIN: taken out by a command, taken out by the configuration.
FORCED, CONFIGURED = 1, 4


def show_servers(path: str) -> str:
    """Return HAProxy's own description of its servers' states. Raises OSError when it does not answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CALL_SECONDS)
        connection.connect(path)
        connection.sendall(b"show servers state\n")
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode()


def configured(text: str) -> dict[tuple[str, str, str], bool]:
    """Return of the servers of a configuration, as (backend, server, port), whether they begin disabled."""
    found, backend = {}, ""
    for words in (line.split() for line in text.splitlines()):
        if words[:1] == ["backend"]:
            backend = words[1]
        elif words[:1] == ["server"]:
            found[backend, words[1], words[2].rpartition(":")[2]] = "disabled" in words
    return found


def unchanged(states: str, servers: dict[tuple[str, str, str], bool]) -> str:
    """Leave out the states of servers that have another port now: a state has the port too, and it would win.

    Of servers that the configuration disables, those in use stay so, as if they had been disabled and enabled
    before; one that is down stays out, instead of being tried until its first check.
    """
    lines = states.splitlines()
    kept = lines[:2]
    for words in (line.split() for line in lines[2:]):
        if _identity(words) not in servers:
            continue
        admin = int(words[ADMIN])
        if servers[_identity(words)]:
            out = FORCED if words[OPERATION] == DOWN else 0
            words[ADMIN] = str(admin | CONFIGURED | out)
        kept.append(" ".join(words))
    return "\n".join(kept) + "\n"


def _identity(words: list[str]) -> tuple[str, str, str]:
    return (words[BACKEND], words[SERVER], words[PORT]) if len(words) > PORT else ("", "", "")


def keep(path: Path, text: str) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


def main() -> None:
    """Ask and keep; a state of long ago is worse than none."""
    address, configuration, file = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    file.unlink(missing_ok=True)
    servers = configured(configuration.read_text(encoding="utf-8"))
    keep(file, unchanged(show_servers(address), servers))


if __name__ == "__main__":
    main()
