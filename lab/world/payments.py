"""A stand-in for a payment provider that honours idempotency keys, and that can be told to misbehave.

Usage: python3 payments.py HOST:PORT FILE. FILE is the SQLite database in which payments and keys are kept.

POST /payments {order_id, amount, currency} -> 201 {id, order_id, status: accepted|refused, reason}
POST /refunds {payment_id}                  -> 201 {id, payment_id}
    Both need the header Idempotency-Key; the same key again gives 200 with the same body.
GET  /payments                              -> {payments: [...]} with key, refund_id and the number of requests
POST /mode {mode, seconds}, GET /mode       -> {mode, seconds}: how it behaves from now on

Modes: normal; fail (refuses new payments); slow (a new payment is made at once and answered after so many seconds);
twice (sends every answer twice); unavailable (503 before anything is done).
"""

import json
import sqlite3
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODES = ("normal", "fail", "slow", "twice", "unavailable")
MAX_BODY = 10_000
TWICE_PAUSE_SECONDS = 0.05
TABLES = """
create table if not exists payments (
  key text primary key, id text not null unique, order_id text not null, amount integer not null,
  currency text not null, status text not null, reason text, requests integer not null default 1,
  made_at real not null);
create table if not exists refunds (
  key text primary key, id text not null, payment_id text not null unique references payments (id),
  requests integer not null default 1, made_at real not null);
"""
COUNT = {
    "payments": "update payments set requests = requests + 1 where key = ?",
    "refunds": "update refunds set requests = requests + 1 where key = ?",
}
FIND = {"payments": "select * from payments where key = ?", "refunds": "select * from refunds where key = ?"}
Reply = tuple[int, dict[str, Any]]


class Refused(Exception):
    """The request can't be done; status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Provider:
    """Payments and refunds, each made once per key."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(TABLES)
        self._lock = threading.Lock()
        self.mode = "normal"
        self.seconds = 8.0
        """How long a new payment takes in mode slow."""

    def set_mode(self, body: dict[str, Any]) -> dict[str, Any]:
        """Behave like this from now on."""
        if body.get("mode") not in MODES:
            raise Refused(422, f"mode must be one of {', '.join(MODES)}")
        self.mode, self.seconds = str(body["mode"]), float(body.get("seconds", self.seconds))
        return {"mode": self.mode, "seconds": self.seconds}

    def pay(self, key: str, body: dict[str, Any]) -> Reply:
        """A payment, made now or before with this key."""
        order_id, amount, currency = (body.get(name) for name in ("order_id", "amount", "currency"))
        wrong = not isinstance(order_id, str) or not isinstance(currency, str)
        if wrong or type(amount) is not int or amount < 0:
            raise Refused(
                422, "order_id and currency must be text, amount a whole number that is not negative"
            )
        with self._lock:
            known = self._known("payments", key)
            if known is None:
                refused = self.mode == "fail"
                self._database.execute(
                    "insert into payments (key, id, order_id, amount, currency, status, reason, made_at)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(key, f"pay-{uuid.uuid4()}", order_id, amount, currency),
                        *(
                            "refused" if refused else "accepted",
                            "card declined" if refused else None,
                            time.time(),
                        ),
                    ),
                )
                return 201, _shown(self._row("payments", key))
        if (known["order_id"], known["amount"], known["currency"]) != (order_id, amount, currency):
            raise Refused(422, "this key was used for another payment")
        return 200, _shown(known)

    def refund(self, key: str, body: dict[str, Any]) -> Reply:
        """Give a payment back, now or before with this key."""
        payment_id = body.get("payment_id")
        with self._lock:
            known = self._known("refunds", key)
            if known is not None:
                if known["payment_id"] != payment_id:
                    raise Refused(422, "this key was used for another refund")
                return 200, {"id": known["id"], "payment_id": known["payment_id"]}
            payment = self._database.execute(
                "select status from payments where id = ?", (payment_id,)
            ).fetchone()
            if payment is None or payment["status"] != "accepted":
                raise Refused(404, "there is no such payment")
            row = (key, f"refund-{uuid.uuid4()}", payment_id, time.time())
            try:
                self._database.execute(
                    "insert into refunds (key, id, payment_id, made_at) values (?, ?, ?, ?)", row
                )
            except sqlite3.IntegrityError as error:
                raise Refused(409, "this payment was given back already, with another key") from error
            return 201, {"id": row[1], "payment_id": payment_id}

    def payments(self) -> list[dict[str, Any]]:
        """All payments, for checkers: the oldest first, with their refunds."""
        with self._lock:
            rows = self._database.execute(
                "select p.*, r.id as refund_id from payments p left join refunds r on r.payment_id = p.id"
                " order by p.made_at"
            ).fetchall()
        return [dict(row) for row in rows]

    def _known(self, table: str, key: str) -> Any:
        """The row of a key that was used before; counts the request."""
        self._database.execute(COUNT[table], (key,))
        return self._row(table, key)

    def _row(self, table: str, key: str) -> Any:
        return self._database.execute(FIND[table], (key,)).fetchone()


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "order_id", "status", "reason")}


class Handler(BaseHTTPRequestHandler):
    """HTTP in front of the provider."""

    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_GET(self) -> None:
        """Lists."""
        if self.path == "/payments":
            self._send(200, {"payments": self.provider.payments()})
        elif self.path == "/mode":
            self._send(200, {"mode": self.provider.mode, "seconds": self.provider.seconds})
        else:
            self._send(404, {"reason": "no such path"})

    def do_POST(self) -> None:
        """Payments, refunds, and how to behave."""
        try:
            body = self._body()
            if self.path == "/mode":
                self._send(200, self.provider.set_mode(body))
                return
            status, answer = self._work(body)
        except Refused as error:
            self._send(error.status, {"reason": str(error)})
            return
        if status == 201 and self.provider.mode == "slow":
            time.sleep(self.provider.seconds)
        self._send(status, answer)
        if self.provider.mode == "twice":
            # It belongs to no request: a client that keeps the connection takes it for the answer to its next one.
            time.sleep(TWICE_PAUSE_SECONDS)
            self._send(status, answer)

    def _work(self, body: dict[str, Any]) -> Reply:
        if self.provider.mode == "unavailable":
            raise Refused(503, "not available at the moment")
        key = self.headers.get("Idempotency-Key", "")
        if not key:
            raise Refused(400, "the header Idempotency-Key is required")
        if self.path == "/payments":
            return self.provider.pay(key, body)
        if self.path == "/refunds":
            return self.provider.refund(key, body)
        raise Refused(404, "no such path")

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            raise Refused(413, "too large")
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError as error:
            raise Refused(400, "the body is not JSON") from error
        if not isinstance(body, dict):
            raise Refused(422, "the body must be an object")
        return body

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: checkers ask for the list."""


def serve(host: str, port: int, file: str) -> ThreadingHTTPServer:
    """A server that is bound but does not run yet."""
    handler = type("ProviderHandler", (Handler,), {"provider": Provider(file)})
    server = ThreadingHTTPServer((host, port), handler)
    server.daemon_threads = True
    return server


def main() -> None:
    """Serve until the process ends."""
    place, file = sys.argv[1:]
    host, _, port = place.rpartition(":")
    serve(host, int(port), file).serve_forever()


if __name__ == "__main__":
    main()
