"""A stand-in for HAProxy's router: it says what it was sent, ends the connection, or answers as a shop would."""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

PUBLIC = "public, max-age=0, s-maxage=1, stale-while-revalidate=5, stale-if-error=86400"
# Below /products/: the headers of an answer by the first word of its name.
HEADERS = {
    "fresh": {"Cache-Control": PUBLIC.replace("s-maxage=1", "s-maxage=600")},
    "brief": {"Cache-Control": PUBLIC.replace("stale-while-revalidate=5, ", "")},
    "private": {"Cache-Control": "private, s-maxage=600"},
    "nostore": {"Cache-Control": "public, s-maxage=600, no-store"},
    "nothing": {},
    "maxage": {"Cache-Control": "public, max-age=600"},
    "notpublic": {"Cache-Control": "s-maxage=600"},
    "accel": {"X-Accel-Expires": "600", "Expires": "Thu, 01 Jan 2099 00:00:00 GMT"},
    "cookie": {"Cache-Control": "public, s-maxage=600", "Set-Cookie": "session=1"},
    "vary": {"Cache-Control": "public, s-maxage=600", "Vary": "Accept-Encoding, Cookie"},
    "encoding": {"Cache-Control": "public, s-maxage=600", "Vary": "Accept-Encoding"},
    "timing": {"Cache-Control": "public, s-maxage=600", "Server-Timing": "db;dur=7"},
}
LIMITS = {"Retry-After": "7", "RateLimit-Limit": "20", "RateLimit-Remaining": "0", "RateLimit-Reset": "7"}
LIMITS["WWW-Authenticate"] = "APIKey"
numbers = count(1)
mode = "well"


class Router(BaseHTTPRequestHandler):
    """Answers every request with what it saw.

    ``/status/<code>``, ``/error/<code>`` (HAProxy's own) and ``/hang-up`` steer one answer; ``POST /mode/<mode>`` those
    below ``/products/``: well, slow, the number of a status, or ``error-<code>``.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        global mode
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = self.path.partition("?")[0].split("/")
        if parts[1] == "hang-up":
            self.close_connection = True
            return
        if parts[1] == "mode":
            mode = parts[2]
        status, headers = 200, {}
        if parts[1] == "status":
            status = int(parts[2])
        elif parts[1] == "error":
            status, headers = self.error(parts[2])
        elif parts[1] == "products":
            status, headers = self.product(parts[2])
        elif parts[1] == "timing":
            headers = {"Server-Timing": "db;dur=7"}
        self.answer(status, headers, len(body), padding="x" * 5000 * parts[-1].endswith("-large"))

    def error(self, status: str) -> tuple[int, dict[str, str]]:
        """Return status and headers of an error that no service has answered."""
        if "X-Tandem-Page" in self.headers:
            return int(status), LIMITS | {"X-Accel-Redirect": f"@error_{status}"}
        return int(status), LIMITS | {"Cache-Control": "no-store"}

    def product(self, name: str) -> tuple[int, dict[str, str]]:
        """Return status and headers of an answer below /products/."""
        if mode == "slow":
            time.sleep(8)
        if mode.isdigit():
            return int(mode), {"Cache-Control": "no-store"}
        if mode.startswith("error-"):
            return self.error(mode.removeprefix("error-"))
        etag = f'"{name}"'
        headers = {"ETag": etag, **HEADERS.get(name.partition("-")[0], {"Cache-Control": PUBLIC})}
        return (304 if self.headers.get("If-None-Match") == etag else 200), headers

    def answer(self, status: int, headers: dict[str, str], received: int, padding: str) -> None:
        """Send what was seen, with a number that no other answer has."""
        seen = {
            "method": self.command,
            "port": self.client_address[1],
            "path": self.path,
            "received": received,
        }
        seen |= {"headers": dict(self.headers), "number": next(numbers), "padding": padding}
        text = b"" if status == 304 else json.dumps(seen).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server that can be started again at once."""

    daemon_threads = True
    request_queue_size = 128


address, _, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080").partition(":")
Server((address, int(port)), Router).serve_forever()
