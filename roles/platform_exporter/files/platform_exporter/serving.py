"""The page over HTTPS, for callers whose certificate has the name of a scraper."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CALL_SECONDS = 10.0
"""How long a caller may take for its handshake and its request."""
PATH = "/metrics"


def common_name(certificate: dict[str, Any] | None) -> str | None:
    """Return the common name in a certificate as `ssl` shows it; None without one."""
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return None


def context(certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """Return what a server needs that demands a certificate of the authority. Raises OSError, ssl.SSLError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(certificate, key)
    made.load_verify_locations(authority)
    return made


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = CALL_SECONDS
    server_version = "tandem"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer the page to a scraper."""
        connection = self.connection
        caller = common_name(connection.getpeercert()) if isinstance(connection, ssl.SSLSocket) else None
        if caller not in self.server.scrapers:
            self.send_error(403, "This certificate may not read metrics.")
        elif self.path != PATH:
            self.send_error(404, f"There is only {PATH}.")
        else:
            body = generate_latest(self.server.registry)
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: scrapes come every few seconds."""


class Server(ThreadingHTTPServer):
    """The server; each connection has a thread, in which also its handshake takes place."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext,
        scrapers: Collection[str],
        registry: CollectorRegistry,
    ) -> None:
        self.tls = tls
        self.scrapers = frozenset(scrapers)
        self.registry = registry
        super().__init__(address, Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands within a time limit, then answer."""
        request.settimeout(CALL_SECONDS)
        try:
            with self.tls.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        except (OSError, ValueError):
            # A caller without a certificate, one that went away, or one that speaks something else.
            return

    def shutdown_request(self, request: Any) -> None:
        """Close what the handshake has not taken over."""
        if isinstance(request, socket.socket) and request.fileno() >= 0:
            super().shutdown_request(request)
