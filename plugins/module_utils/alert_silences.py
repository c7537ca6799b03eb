# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Silences of one host's alerts, by the API of the Alertmanagers. Knows nothing of Ansible.

The Alertmanagers pass silences on to each other, so one that answers is enough.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

Done = TypeVar("Done")
CREATOR = "tandem"
TIMEOUT_S = 5.0
# Nobody means to silence a host for longer by a restart.
LONGEST_S = 3600


class Unanswered(Exception):
    """No Alertmanager did what was asked; the text says why, server by server."""


Ask = Callable[[str, str, Any], Any]
"""Sends a request: method, URL, data for its body or None; returns the answer's data. Raises OSError, ValueError."""


@dataclass(frozen=True)
class Client:
    """Talks to the Alertmanagers with a certificate of this host."""

    context: ssl.SSLContext

    def ask(self, method: str, url: str, data: Any = None) -> Any:
        """Send one request and return the answer's data, None for an empty one. Raises OSError, ValueError."""
        where = urlsplit(url)
        connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=TIMEOUT_S, context=self.context
        )
        with contextlib.closing(connection):
            body = None if data is None else json.dumps(data)
            try:
                connection.request(method, where.path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
            except http.client.HTTPException as error:
                raise OSError(f"no HTTP answer: {error!r}") from error
        if answer.status >= http.client.BAD_REQUEST:
            raise OSError(f"{answer.status}: {text[:200].decode(errors='replace')}")
        return json.loads(text) if text else None


def context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Return what proves who asks, and who answers. Raises OSError."""
    made = ssl.create_default_context(cafile=ca)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_cert_chain(certificate, key)
    return made


def silence(host: str, seconds: int, reason: str, now: datetime) -> dict[str, Any]:
    """Return the silence of a host's alerts from now on, as the API wants it; `now` with its zone."""
    return {
        "matchers": [{"name": "host", "value": host, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=seconds)).isoformat(),
        "createdBy": CREATOR,
        "comment": reason,
    }


def ours(silences: Sequence[dict[str, Any]], host: str) -> list[str]:
    """Return the ids of the silences in force that `silence` made for the host; people's own are left alone."""
    return [
        item["id"]
        for item in silences
        if item["status"]["state"] in {"active", "pending"}
        and item["createdBy"] == CREATOR
        and [(matcher["name"], matcher["value"]) for matcher in item["matchers"]] == [("host", host)]
    ]


def start(servers: Sequence[str], ask: Ask, wanted: dict[str, Any]) -> str:
    """Make the silence at the first server that answers; return its id. Raises Unanswered."""

    def make(server: str) -> str:
        return str(ask("POST", f"{server}/api/v2/silences", wanted)["silenceID"])

    return _first(servers, make)


def end(servers: Sequence[str], ask: Ask, host: str) -> list[str]:
    """End the host's silences at the first server that answers; return their ids. Raises Unanswered."""

    def remove(server: str) -> list[str]:
        found = ours(ask("GET", f"{server}/api/v2/silences", None), host)
        for identity in found:
            ask("DELETE", f"{server}/api/v2/silence/{identity}", None)
        return found

    return _first(servers, remove)


def _first(servers: Sequence[str], act: Callable[[str], Done]) -> Done:
    reasons = []
    for server in servers:
        try:
            return act(server.rstrip("/"))
        except (OSError, ValueError, KeyError) as error:
            reasons.append(f"{server}: {error}")
    raise Unanswered("; ".join(reasons) or "no Alertmanager is named")
