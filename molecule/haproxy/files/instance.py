"""A stand-in for a service's instance: it says who it is and what it was sent."""

from __future__ import annotations

import json
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Instance(BaseHTTPRequestHandler):
    """Answers with what it saw; ``?status=``, ``?header=``, ``?seconds=`` and ``?hang-up=`` steer the answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        wishes = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
        time.sleep(float(wishes.get("seconds", 0)))
        if "hang-up" in wishes:
            self.close_connection = True
            return
        seen = {"instance": sys.argv[1], "method": self.command, "path": path, "headers": dict(self.headers)}
        body = json.dumps(seen).encode()
        self.send_response(int(wishes.get("status", 200)))
        self.send_header("Content-Length", str(len(body)))
        if "header" in wishes:
            self.send_header(*wishes["header"].split(":"))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: checks come every second."""


class Server(ThreadingHTTPServer):
    """A server whose callers may go away while it answers."""

    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: HAProxy's checks don't wait for the body."""


class Worker(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An instance without a port; it has a Unix socket."""

    daemon_threads = True


if sys.argv[1].startswith("/"):
    Worker(sys.argv[1], Instance).serve_forever()
Server(("127.0.0.1", int(sys.argv[1])), Instance).serve_forever()
