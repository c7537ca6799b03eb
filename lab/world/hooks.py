"""A receiver of webhooks that keeps what it is sent, for checkers.

Usage: python3 hooks.py HOST:PORT. Everything is kept in memory, the newest KEPT posts.

POST /ANY/PATH {…} -> 200
GET  /posts[?path=/ANY/PATH] -> {posts: [{path, body, received_at}]}, oldest first
"""

import json
import sys
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEPT = 10_000
MAX_BODY = 1_000_000


class Store:
    """The posts."""

    def __init__(self) -> None:
        self._posts: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._lock = Lock()

    def add(self, path: str, body: Any) -> None:
        """Keep a post."""
        with self._lock:
            self._posts.append({"path": path, "body": body, "received_at": time.time()})

    def posts(self, path: str | None = None) -> list[dict[str, Any]]:
        """All posts, or those to this path."""
        with self._lock:
            return [post for post in self._posts if path in (None, post["path"])]


class Handler(BaseHTTPRequestHandler):
    """HTTP for senders and checkers."""

    store: Store

    def do_POST(self) -> None:
        """Keep it."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self._send(413, {"reason": f"more than {MAX_BODY} bytes"})
            return
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            self._send(400, {"reason": "not JSON"})
            return
        self.store.add(urlsplit(self.path).path, body)
        self._send(200, {})

    def do_GET(self) -> None:
        """The posts."""
        where = urlsplit(self.path)
        if where.path != "/posts":
            self._send(404, {"reason": "no such path"})
            return
        self._send(200, {"posts": self.store.posts(parse_qs(where.query).get("path", [None])[0])})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: checkers ask for the list."""


def receiver(where: tuple[str, int]) -> ThreadingHTTPServer:
    """A receiver with a store of its own that is bound but does not run yet."""
    server = ThreadingHTTPServer(where, type("StoreHandler", (Handler,), {"store": Store()}))
    server.daemon_threads = True
    return server


if __name__ == "__main__":
    host, _, port = sys.argv[1].rpartition(":")
    receiver((host, int(port))).serve_forever()
