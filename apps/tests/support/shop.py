"""A stand-in for the users, products and orders services: their HTTP contract, kept in memory, over real sockets.

Each of them can be made to fail, so that pages can be seen while it does.
"""

import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Problem(Exception):
    """An answer that is not a success."""

    status: int
    name: str
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "type": f"urn:tandem:problem:{self.name}",
            "title": self.name,
            "status": self.status,
            **self.extra,
        }


class Quiet(WSGIRequestHandler):
    """Writes no log of requests."""

    def log_request(self, *_: Any) -> None:
        pass


class Fake:
    """One service: a table of operations, its log of requests, and its trouble."""

    name = ""
    rules: tuple[tuple[str, str, str], ...] = ()

    def __init__(self, shop: "Shop") -> None:
        self.shop = shop
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.down = False
        """Answers 503, certainly without having done anything."""
        self.vague = 0
        """So many writes are done, but answered `outcome-unknown`."""
        self.delay = 0.0
        """Seconds before each answer."""
        rules = [Rule(path, endpoint=work, methods=[method]) for method, path, work in self.rules]
        self._map = Map(
            [*rules, Rule(f"/{self.name}/openapi.json", endpoint="document")], strict_slashes=False
        )
        self._server: BaseWSGIServer | None = None

    @property
    def url(self) -> str:
        assert self._server
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def stop(self) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str, path: str) -> int:
        """How often this was asked."""
        return sum((seen_method, seen_path) == (method, path) for seen_method, seen_path, _ in self.seen)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.seen.append((request.method, request.path, dict(request.headers)))
        time.sleep(self.delay)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            if self.down:
                raise Problem(503, "unavailable")
            work, arguments = self._map.bind_to_environ(request.environ).match()
            with self.shop.lock:
                status, body = getattr(self, work)(request, **arguments)
            if request.method != "GET" and self.vague:
                self.vague -= 1
                raise Problem(503, "outcome-unknown")
        except Problem as problem:
            return _json(problem.document, problem.status, "application/problem+json")
        return _json(body, status, "application/json")

    def document(self, _request: Request) -> Answer:
        return 200, {
            "openapi": "3.1.0",
            "info": {"title": self.name, "version": "1", "description": f"The {self.name} service."},
            "paths": {re.sub(r"<\w+:(\w+)>", r"{\1}", path): self._item(path) for _, path, _ in self.rules},
            "components": {
                "schemas": {"Thing": {"title": self.name, "type": "object"}, "Same": {"type": "string"}},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }

    def _item(self, wanted: str) -> dict[str, Any]:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
        operation = {"responses": {"200": {"description": "Success", "content": content}}}
        return {
            method.lower(): {"operationId": work, "summary": work.replace("_", " "), **operation}
            for method, path, work in self.rules
            if path == wanted
        }


def _json(body: Any, status: int, mimetype: str) -> Response:
    return Response(json.dumps(body) if status != 204 else "", status=status, mimetype=mimetype)


class Users(Fake):
    """Accounts; tokens are words."""

    name = "users"
    rules = (
        ("POST", "/users/register", "register"),
        ("POST", "/users/login", "log_in"),
        ("POST", "/users/refresh", "refresh"),
        ("POST", "/users/logout", "log_out"),
        ("GET", "/users/me", "me"),
    )
    lifetime = 300

    def register(self, request: Request) -> Answer:
        body = request.get_json()
        if body["email"].endswith("@invalid"):
            raise Problem(
                422, "invalid-input", {"errors": [{"field": "email", "reason": "has a wrong domain"}]}
            )
        if body["email"] in self.shop.accounts:
            raise Problem(409, "email-taken")
        self.shop.accounts[body["email"]] = body
        return 201, self._shown(body["email"])

    def log_in(self, request: Request) -> Answer:
        body = request.get_json()
        if self.shop.accounts.get(body["email"], {}).get("password") != body["password"]:
            raise Problem(401, "unauthorized")
        return 200, self._tokens(body["email"])

    def refresh(self, request: Request) -> Answer:
        email = self.shop.refresh_tokens.pop(request.get_json()["refresh_token"], None)
        if email is None:
            raise Problem(401, "unauthorized")
        return 200, self._tokens(email)

    def log_out(self, request: Request) -> Answer:
        self.shop.refresh_tokens.pop(request.get_json()["refresh_token"], None)
        return 204, None

    def me(self, request: Request) -> Answer:
        return 200, self._shown(self.shop.owner(request))

    def _shown(self, email: str) -> dict[str, Any]:
        roles = ["admin"] if email in self.shop.administrators else []
        return {
            "id": str(uuid.uuid4()),
            "email": email,
            "name": self.shop.accounts[email]["name"],
            "roles": roles,
        }

    def _tokens(self, email: str) -> dict[str, Any]:
        access, refresh = f"access-{uuid.uuid4().hex}", f"refresh-{uuid.uuid4().hex}"
        self.shop.access_tokens[access] = email
        self.shop.refresh_tokens[refresh] = email
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh,
            "refresh_expires_in": 30 * 86_400,
        }


class Products(Fake):
    """The catalogue."""

    name = "products"
    rules = (("GET", "/products/", "page"), ("GET", "/products/<int:product_id>", "get"))

    def page(self, request: Request) -> Answer:
        page, size = (request.args.get(name, default, int) for name, default in (("page", 1), ("size", 20)))
        text = request.args.get("q", "").lower()
        found = [
            one
            for one in self.shop.products.values()
            if text in f"{one['name']} {one['description']}".lower()
        ]
        items = found[(page - 1) * size : page * size]
        return 200, {"items": items, "page": page, "size": size, "total": len(found)}

    def get(self, _request: Request, product_id: int) -> Answer:
        if product_id not in self.shop.products:
            raise Problem(404, "not-found")
        return 200, self.shop.products[product_id]


class Orders(Fake):
    """Carts and orders."""

    name = "orders"
    rules = (
        ("GET", "/cart", "cart"),
        ("POST", "/cart", "put"),
        ("POST", "/orders/checkout", "check_out"),
        ("POST", "/orders/<uuid:order_id>/cancel", "cancel"),
        ("GET", "/orders", "page"),
    )
    steps = ("placed", "paid", "packed", "shipped", "rejected")
    step = 0
    """How far orders are that nobody cancelled, as an index of `steps`."""

    def cart(self, request: Request) -> Answer:
        cart = self.shop.cart(self.shop.owner(request))
        return 200, {"items": [{"product_id": one, "quantity": cart[one]} for one in sorted(cart)]}

    def put(self, request: Request) -> Answer:
        cart, body = self.shop.cart(self.shop.owner(request)), request.get_json()
        if body["product_id"] not in self.shop.products and body["quantity"]:
            raise Problem(
                422, "invalid-input", {"errors": [{"field": "product_id", "reason": "no such product"}]}
            )
        if body["quantity"]:
            cart[body["product_id"]] = body["quantity"]
        else:
            cart.pop(body["product_id"], None)
        return self.cart(request)

    def check_out(self, request: Request) -> Answer:
        owner, key = self.shop.owner(request), request.headers["Idempotency-Key"]
        note = request.get_json().get("note")
        made = self.shop.orders.get((owner, key))
        if made and made["note"] != note:
            raise Problem(422, "idempotency-key-reused")
        if not made:
            made = self.shop.orders[owner, key] = self._make(self.shop.cart(owner), note)
        return 201, made

    def _make(self, cart: dict[int, int], note: str | None) -> dict[str, Any]:
        if not cart:
            raise Problem(409, "cart-empty")
        products = self.shop.products
        for product, quantity in cart.items():
            if quantity > products[product]["available"]:
                extra = {
                    "product_id": product,
                    "wanted": quantity,
                    "available": products[product]["available"],
                }
                raise Problem(409, "not-enough-stock", extra)
        items = [
            {
                "product_id": one,
                "quantity": cart[one],
                "name": products[one]["name"],
                "price": products[one]["price"],
            }
            for one in sorted(cart)
        ]
        total = sum(item["quantity"] * item["price"]["amount"] for item in items)
        cart.clear()
        return {
            "id": str(uuid.uuid4()),
            "status": "placed",
            "reason": None,
            "tracking": None,
            "items": items,
            "total": {"amount": total, "currency": "RUB"},
            "note": note,
            "created_at": datetime(2026, 11, 25, 13, 48, tzinfo=UTC).isoformat(),
        }

    def cancel(self, request: Request, order_id: uuid.UUID) -> Answer:
        for order in self._of(self.shop.owner(request)):
            if order["id"] == str(order_id):
                if self._now(order)["status"] not in ("placed", "cancelled"):
                    raise Problem(409, "too-late")
                order["status"] = "cancelled"
                return 200, order
        raise Problem(404, "not-found")

    def _of(self, owner: str) -> list[dict[str, Any]]:
        return [order for (whose, _), order in reversed(self.shop.orders.items()) if whose == owner]

    def _now(self, order: dict[str, Any]) -> dict[str, Any]:
        status = self.steps[int(self.step)] if order["status"] == "placed" else order["status"]
        more = {"shipped": {"tracking": "TND1"}, "rejected": {"reason": "payment_refused"}}
        return {**order, "status": status, **more.get(status, {})}

    def page(self, request: Request) -> Answer:
        page, size = (request.args.get(name, default, int) for name, default in (("page", 1), ("size", 20)))
        mine = [self._now(order) for order in self._of(self.shop.owner(request))]
        return 200, {
            "items": mine[(page - 1) * size : page * size],
            "page": page,
            "size": size,
            "total": len(mine),
        }


class Audit(Fake):
    """What happened; the newest event is the first one."""

    name = "audit"
    rules = (("GET", "/audit/events", "page"),)

    def page(self, request: Request) -> Answer:
        if self.shop.owner(request) not in self.shop.administrators:
            raise Problem(403, "forbidden")
        given = request.args
        found = [
            one
            for one in self.shop.events
            if given.get("type") in (None, one["type"])
            and given.get("user_id") in (None, one["user_id"])
            and given.get("since", "") <= one["at"] < given.get("until", "~")
        ]
        first, size = int(given.get("before", 0)), int(given["size"])
        more = len(found) > first + size
        return 200, {"items": found[first : first + size], "next": str(first + size) if more else None}


class Shop:
    """All services and what they know."""

    def __init__(self, products: list[dict[str, Any]]) -> None:
        self.lock = threading.RLock()
        self.products = {product["id"]: product for product in products}
        self.accounts: dict[str, dict[str, str]] = {}
        self.access_tokens: dict[str, str] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.carts: dict[str, dict[int, int]] = {}
        self.orders: dict[tuple[str, str], dict[str, Any]] = {}
        self.administrators: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.users, self.catalogue, self.selling = Users(self), Products(self), Orders(self)
        self.audit = Audit(self)

    @property
    def services(self) -> tuple[Fake, ...]:
        return self.users, self.catalogue, self.selling, self.audit

    def start(self) -> None:
        for service in self.services:
            service.start()

    def stop(self) -> None:
        for service in self.services:
            service.stop()

    @property
    def urls(self) -> dict[str, str]:
        """What the frontend is told."""
        return {f"{service.name}_url": service.url for service in self.services}

    def owner(self, request: Request) -> str:
        """Whose access token the request has."""
        email = self.access_tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if email is None:
            raise Problem(401, "unauthorized")
        return email

    def cart(self, owner: str) -> dict[int, int]:
        return self.carts.setdefault(owner, {})


def product(product_id: int, name: str, amount: int, **more: Any) -> dict[str, Any]:
    """A product as the products service answers it."""
    return {
        "id": product_id,
        "sku": f"T-{1000 + product_id}",
        "name": name,
        "description": f"About {name}.",
        "category": "coffee",
        "picture": "cup",
        "price": {"amount": amount, "currency": "RUB"},
        "available": 1000,
        **more,
    }


def happened(kind: str, at: str, user_id: str | None, **data: Any) -> dict[str, Any]:
    """An event as the audit service answers it; `at` as in 2026-11-25T13:48:00+00:00."""
    return {
        "id": str(uuid.uuid4()),
        "type": kind,
        "version": 1,
        "subject": user_id or "unknown",
        "user_id": user_id,
        "at": at,
        "request_id": "r-1",
        "data": {"user_id": user_id, **data},
    }
