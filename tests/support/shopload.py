"""Open-loop load on the shop, as its users make it: run on the `world` host with the standard library only.

Usage: python3 shopload.py CONFIG, where CONFIG is JSON:
  name, addresses, ca: public name, the edges' addresses, PEM text of the authority
  run: prefix of this run's e-mail addresses and idempotency keys
  users: number of accounts; seconds: length; orders_per_second, reads_per_second, pages_per_second: the stated rates
  verify: optional list of e-mail addresses; then nothing is loaded and their orders are printed

Prints one JSON object a line:
  {"kind": "attempt", "op", "edge", "t", "ms", "status"|"error"}   each request that was sent
  {"kind": "ack", "key", "order", "email", "t"}                    an order the shop acknowledged
  {"kind": "gaveup", "key", "email", "t", "why"}                   an order without an answer: its outcome is unknown
  {"kind": "orders", "email", "ids"}                               verify: what the shop lists
It ends before its time when the file /run/RUN.stop is made.
A request that was not answered is sent again to the next edge: after what Retry-After says, or after a short pause.
Operations start at their planned time whether or not earlier ones have ended, so a stall is seen in full.
"""

from __future__ import annotations

import http.client
import json
import queue
import re
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ATTEMPT_TIMEOUT = 5.0  # seconds a person's client waits for one answer
GIVE_UP_AFTER = 40.0  # seconds until an operation is abandoned
RETRY_PAUSE = 0.25
TOKEN_SECONDS = 200.0  # access tokens live for 300
PASSWORD = "correct horse battery staple"


class Connection(http.client.HTTPSConnection):
    """HTTPS to one edge's address under the shop's public name."""

    def __init__(self, name: str, address: str, context: ssl.SSLContext) -> None:
        super().__init__(name, 443, timeout=ATTEMPT_TIMEOUT, context=context)
        self.address = address
        self.tls = context

    def connect(self) -> None:
        """Connect to the address, verify the name."""
        raw = socket.create_connection((self.address, 443), timeout=ATTEMPT_TIMEOUT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.tls.wrap_socket(raw, server_hostname=self.host)


class Failed(Exception):
    """An operation that got no usable answer in time."""


class Shop:
    """The shop through all its edges, with kept connections."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.name: str = config["name"]
        self.addresses: list[str] = config["addresses"]
        self.context = ssl.create_default_context(cadata=config["ca"])
        self.idle: dict[str, list[Connection]] = {address: [] for address in self.addresses}
        self.lock = threading.Lock()
        self.print_lock = threading.Lock()

    def say(self, **line: Any) -> None:
        """Print one line of the ledger."""
        text = json.dumps(line)
        with self.print_lock:
            print(text, flush=True)

    def attempt(
        self,
        op: str,
        edge: str,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int | None, bytes, float]:
        """Send one request; return status (None: no whole answer came), body and the pause (s) before a repetition."""
        with self.lock:
            connection = self.idle[edge].pop() if self.idle[edge] else None
        fresh = connection is None
        connection = connection or Connection(self.name, edge, self.context)
        started = time.time()
        sent = {"Accept": "application/json", **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            closed_idle = isinstance(
                error, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError
            )
            if not fresh and closed_idle and time.time() - started < 1:
                # A kept connection that the edge had closed meanwhile: browsers repeat such a request unseen.
                return self.attempt(op, edge, method, path, body, headers)
            self.say(
                kind="attempt",
                op=op,
                edge=edge,
                t=started,
                ms=ms_since(started),
                error=f"{type(error).__name__}: {error}",
            )
            return None, b"", RETRY_PAUSE
        if answer.will_close:
            connection.close()
        else:
            with self.lock:
                self.idle[edge].append(connection)
        self.say(kind="attempt", op=op, edge=edge, t=started, ms=ms_since(started), status=answer.status)
        pause = float(answer.headers.get("Retry-After") or RETRY_PAUSE)
        return answer.status, raw, pause

    def until_answered(
        self,
        op: str,
        first_edge: int,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Repeat over the edges until one answers below 500. Raises Failed after GIVE_UP_AFTER seconds."""
        deadline = time.monotonic() + GIVE_UP_AFTER
        turn = first_edge
        while time.monotonic() < deadline:
            edge = self.addresses[turn % len(self.addresses)]
            status, raw, pause = self.attempt(op, edge, method, path, body, headers)
            if status is not None and status < 500 and status != 429:
                return status, json.loads(raw) if raw else None
            turn += 1
            time.sleep(pause)
        raise Failed(f"{method} {path}: no answer within {GIVE_UP_AFTER} s")


def ms_since(started: float) -> float:
    """Milliseconds since a time.time()."""
    return round((time.time() - started) * 1000, 1)


class User:
    """An account, and the header of who is logged in."""

    def __init__(self, shop: Shop, email: str, edge: int) -> None:
        self.shop, self.email = shop, email
        self._headers = login(shop, email, edge)
        self._since = time.monotonic()

    def headers(self, edge: int) -> dict[str, str]:
        """Return the header; log in again when the token is old."""
        if time.monotonic() - self._since > TOKEN_SECONDS:
            self._headers, self._since = login(self.shop, self.email, edge), time.monotonic()
        return self._headers


def login(shop: Shop, email: str, edge: int) -> dict[str, str]:
    """Return the header of a logged-in user. Raises Failed."""
    status, answer = shop.until_answered(
        "login", edge, "POST", "/users/login", {"email": email, "password": PASSWORD}
    )
    if status != 200:
        raise Failed(f"login of {email}: {status} {answer}")
    return {"Authorization": f"Bearer {answer['access_token']}"}


def account(shop: Shop, email: str, edge: int) -> User:
    """Register (a repeat of an unknown answer may find the address taken: that is ours) and log in."""
    body = {"email": email, "password": PASSWORD, "name": "Load"}
    status, answer = shop.until_answered("register", edge, "POST", "/users/register", body)
    if status not in (201, 409):
        raise SystemExit(f"register {email}: {status} {answer}")
    return User(shop, email, edge)


def place_order(shop: Shop, number: int, key: str, product: Any, free: queue.SimpleQueue[Any]) -> None:
    """Put one product into a cart and check out; the same key is repeated until there is an answer."""
    try:
        user = free.get(timeout=GIVE_UP_AFTER)
    except queue.Empty:
        shop.say(kind="gaveup", key=key, email=None, t=time.time(), why="no free account")
        return
    email = user.email
    try:
        headers = user.headers(number)
        status, answer = shop.until_answered(
            "cart", number, "POST", "/cart", {"product_id": product, "quantity": 1}, headers
        )
        if status >= 300:
            raise Failed(f"cart: {status} {answer}")
        status, answer = shop.until_answered(
            "checkout", number, "POST", "/orders/checkout", None, {**headers, "Idempotency-Key": key}
        )
        if status != 201:
            raise Failed(f"checkout: {status} {answer}")
        shop.say(kind="ack", key=key, order=answer["id"], email=email, t=time.time())
    except Failed as failure:
        shop.say(kind="gaveup", key=key, email=email, t=time.time(), why=str(failure))
    finally:
        free.put(user)


def read_catalogue(shop: Shop, number: int) -> None:
    """One read, never repeated: its failure is a failed request."""
    edge = shop.addresses[number % len(shop.addresses)]
    shop.attempt("read", edge, "GET", "/products/?size=5")


def open_page(shop: Shop, number: int) -> None:
    """One page with all files that it names, each through another edge; nothing is repeated."""
    edges = shop.addresses
    path = ("/en/shop/", "/ru/shop/", "/en/shop/1")[number % 3]
    status, raw, _ = shop.attempt("page", edges[number % len(edges)], "GET", path)
    if status == 200:
        for turn, name in enumerate(sorted(set(re.findall(rb'/static/[^"\s]+', raw))), start=1):
            shop.attempt("asset", edges[(number + turn) % len(edges)], "GET", name.decode())


def at_rate(pool: ThreadPoolExecutor, rate: float, end: float, stop: Path, start_one: Any) -> None:
    """Start one operation every 1/rate seconds, on schedule, until the end or until there is a file `stop`."""
    if rate <= 0:
        return
    number, planned = 0, time.monotonic()
    while planned < end and not stop.exists():
        time.sleep(max(0.0, planned - time.monotonic()))
        pool.submit(start_one, number)
        number += 1
        planned += 1 / rate


def load(shop: Shop, config: dict[str, Any]) -> None:
    """Register the users, then place orders and read for the stated time at the stated rates."""
    run = config["run"]
    free: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with ThreadPoolExecutor(4) as pool:
        emails = [f"{run}-{i}@example.org" for i in range(config["users"])]
        for user in pool.map(lambda numbered: account(shop, numbered[1], numbered[0]), enumerate(emails)):
            free.put(user)
    _, catalogue = shop.until_answered("read", 0, "GET", "/products/?size=20")
    products = [item["id"] for item in catalogue["items"]]
    shop.say(kind="started", t=time.time())
    end = time.monotonic() + config["seconds"]
    stop = Path(f"/run/{run}.stop")
    with ThreadPoolExecutor(192) as pool:
        orders = threading.Thread(
            target=at_rate,
            args=(
                pool,
                config["orders_per_second"],
                end,
                stop,
                lambda n: place_order(shop, n, f"{run}-{n}", products[n % len(products)], free),
            ),
        )
        reads = threading.Thread(
            target=at_rate,
            args=(pool, config["reads_per_second"], end, stop, lambda n: read_catalogue(shop, n)),
        )
        pages = threading.Thread(
            target=at_rate,
            args=(pool, config["pages_per_second"], end, stop, lambda n: open_page(shop, n)),
        )
        for each in (orders, reads, pages):
            each.start()
        for each in (orders, reads, pages):
            each.join()
        shop.say(kind="planned-end", t=time.time())
    shop.say(kind="ended", t=time.time())


def verify(shop: Shop, emails: list[str]) -> None:
    """Print the orders that the shop lists for each of the users."""

    def orders_of(email: str) -> None:
        headers = login(shop, email, 0)
        ids: list[Any] = []
        page = 1
        while True:
            status, answer = shop.until_answered(
                "orders", 0, "GET", f"/orders?page={page}&size=100", None, headers
            )
            if status != 200:
                raise SystemExit(f"orders of {email}: {status} {answer}")
            ids += [order["id"] for order in answer["items"]]
            if len(ids) >= answer["total"] or not answer["items"]:
                break
            page += 1
        shop.say(kind="orders", email=email, ids=ids)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(orders_of, emails))


def main() -> None:
    """Run what the configuration says."""
    config = json.loads(sys.argv[1])
    shop = Shop(config)
    if config.get("verify"):
        verify(shop, config["verify"])
    else:
        load(shop, config)


if __name__ == "__main__":
    main()
