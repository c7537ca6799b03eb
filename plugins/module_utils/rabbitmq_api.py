# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ's HTTP API on a node's own host: a few requests over one verified connection, some 80 ms each."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

ADDRESS = "127.0.0.1"


class ApiError(Exception):
    """A request was not answered as it should be; the message is meant for the user."""


class Unreachable(ApiError):
    """Nobody listens: the node is not there, or does not run."""


class Unauthorized(ApiError):
    """The administrator's password is not the one that the cluster knows."""


class _Connection(http.client.HTTPSConnection):
    """HTTPS to the loopback address, verified under the name of the host."""

    def __init__(self, port: int, name: str, context: ssl.SSLContext, timeout_s: float) -> None:
        super().__init__(name, port, timeout=timeout_s, context=context)
        self.tls = context

    def connect(self) -> None:
        plain = socket.create_connection((ADDRESS, self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


class Api:
    """The API as the administrator."""

    def __init__(self, server: Mapping[str, Any], user: str, password: str, timeout_s: float = 60) -> None:
        """Server: `port`, `name` (of the certificate) and `ca` (path)."""
        try:
            context = ssl.create_default_context(cafile=server["ca"])
        except OSError as error:
            raise Unreachable(f"{server['ca']}: {error}") from error
        self.connection = _Connection(int(server["port"]), server["name"], context, timeout_s)
        token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Answer of one request, parsed; raises `ApiError`."""
        try:
            content = None if body is None else json.dumps(body)
            self.connection.request(method, path, content, self.headers)
            answer = self.connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise Unreachable(
                f"RabbitMQ's API does not listen on {ADDRESS}:{self.connection.port}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(f"{method} {path}: {error}") from error
        if answer.status == http.client.UNAUTHORIZED:
            raise Unauthorized("RabbitMQ refuses its administrator's password")
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(f"{method} {path}: {answer.status} {said[:500]}")
        return json.loads(said) if said.strip() else None

    def get(self, *parts: str) -> Any:
        """What is at a path."""
        return self.call("GET", path(*parts))

    def delete(self, *parts: str) -> None:
        """Remove what is at a path."""
        self.call("DELETE", path(*parts))


def path(*parts: str) -> str:
    """A path of the API; every part is quoted."""
    return "/api/" + "/".join(quote(part, safe="") for part in parts)
