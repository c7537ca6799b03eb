"""A stand-in for HAProxy's router: it says what it was sent, or ends the connection."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Router(BaseHTTPRequestHandler):
    """Answers every request with what it saw; ``/status/<code>`` and ``/hang-up`` steer the answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/hang-up":
            self.close_connection = True
            return
        client = {"method": self.command, "port": self.client_address[1]}
        body = json.dumps(client | {"path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server that can be started again at once."""

    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", 8080), Router).serve_forever()
