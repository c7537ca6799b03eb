# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Talk XML-RPC with a supervisord on its Unix socket (http://supervisord.org/api.html)."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

# Longer than supervisord waits for a program that it stops.
CALL_SECONDS = 60.0
# Faults that say that there is nothing to do, or what a look at the process says too.
SPAWN_ERROR, ALREADY_STARTED, NOT_RUNNING = 50, 60, 70


class RpcError(Exception):
    """supervisord refused, or can't be reached; `code` is its fault, None when it does not answer."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CALL_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CALL_SECONDS)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


def call(path: Path, method: str, *arguments: Any) -> Any:
    """Call a method of supervisord's namespace `supervisor`. Raises `RpcError`."""
    with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(path)) as server:
        try:
            return getattr(server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise RpcError(f"supervisord refused {method}: {fault.faultString}", fault.faultCode) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError) as error:
            raise RpcError(f"supervisord does not answer on {path}: {error}") from None
