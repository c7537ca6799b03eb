"""The services that the pages are made of."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

import requests
from pydantic import BaseModel, Field, ValidationError
from tandem_common.calls import Service
from tandem_common.fields import Money
from tandem_common.problems import FieldError, ProblemError, Unavailable
from tandem_common.tokens import ADMIN

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
PARALLEL_CALLS = 16
"""Threads for parts of a page, beside gunicorn's own."""
LANES = 3
"""Calls at once for one page's products."""


class Tokens(BaseModel):
    """An access token and what gets the next one."""

    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class Account(BaseModel):
    """Who is logged in."""

    name: str
    email: str
    roles: list[str] = Field(default_factory=list)

    @property
    def admin(self) -> bool:
        """Whether this is an administrator's account."""
        return ADMIN in self.roles


class Product(BaseModel):
    """A product of the catalogue."""

    id: int
    sku: str
    name: str
    description: str
    category: str = "other"
    picture: str = "box"
    price: Money
    available: int


class ProductPage(BaseModel):
    """A page of the catalogue."""

    items: list[Product]
    page: int
    size: int
    total: int


class CartLine(BaseModel):
    """So many of a product."""

    product_id: int
    quantity: int


class Cart(BaseModel):
    """What somebody wants to buy."""

    items: list[CartLine]

    @property
    def count(self) -> int:
        """Number of pieces."""
        return sum(line.quantity for line in self.items)

    def quantity(self, product_id: int) -> int:
        """How many of this product."""
        return sum(line.quantity for line in self.items if line.product_id == product_id)


class OrderLine(BaseModel):
    """A product of an order."""

    product_id: int
    quantity: int
    name: str
    price: Money


class Order(BaseModel):
    """An order."""

    id: uuid.UUID
    status: Literal["placed", "paid", "packed", "shipped", "rejected", "cancelled"]
    reason: str | None = None
    tracking: str | None = None
    items: list[OrderLine]
    total: Money
    note: str | None = None
    created_at: datetime

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ("shipped", "rejected", "cancelled")

    @property
    def cancellable(self) -> bool:
        """Whether its buyer may still cancel it, as far as this answer knows."""
        return self.status == "placed"


class OrderPage(BaseModel):
    """A page of orders, newest first."""

    items: list[Order]
    page: int
    size: int
    total: int


class Event(BaseModel):
    """Something that happened."""

    id: uuid.UUID
    type: str
    subject: str
    user_id: uuid.UUID | None
    at: datetime
    request_id: str | None = None
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events, newest first."""

    items: list[Event]
    next: str | None


class _Problem(BaseModel):
    type: str = "about:blank"
    title: str = "Refused"
    detail: str | None = None
    errors: list[FieldError] = Field(default_factory=list)
    product_id: int | None = None
    wanted: int | None = None
    available: int | None = None


class Refusal(ProblemError):
    """A service understood the request and said no (status 4xx)."""

    def __init__(self, status: int, problem: _Problem) -> None:
        self.name = problem.type.rpartition(":")[2]
        super().__init__(status, self.name, problem.title, problem.detail, errors=problem.errors)
        self.product_id = problem.product_id
        self.available = problem.available

    @property
    def fields(self) -> set[str]:
        """Names of the wrong fields."""
        return {error.field for error in self.errors or []}


def read(response: requests.Response, model: type[Model]) -> Model:
    """The answer's body; raises Refusal, or Unavailable for an answer that is not of the agreed shape."""
    try:
        if response.status_code < 300:
            return model.model_validate_json(response.content)
        raise Refusal(response.status_code, _Problem.model_validate_json(response.content))
    except ValidationError as error:
        raise Unavailable("A service gave an unexpected answer.") from error


@dataclass(frozen=True)
class Client:
    """One service: reads wait a short time, writes longer."""

    reads: Service
    writes: Service

    @classmethod
    def of(cls, name: str, url: str, read_seconds: float, write_seconds: float, **more: Any) -> "Client":
        """A client with connections of its own."""
        return cls(
            Service(name, url, answer_seconds=read_seconds, **more),
            Service(name, url, answer_seconds=write_seconds, **more),
        )

    def get(self, path: str, model: type[Model], token: str | None = None, **query: object) -> Model:
        """Read something; query parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        suffix = f"?{urlencode(given)}" if given else ""
        return read(self.reads.request("GET", path + suffix, token=token), model)

    def post(
        self,
        path: str,
        model: type[Model],
        body: Mapping[str, Any],
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Model:
        """Change something."""
        return read(self.writes.request("POST", path, body=body, token=token, headers=headers), model)


@dataclass(frozen=True)
class Users:
    """Accounts and tokens."""

    client: Client

    def register(self, email: str, password: str, name: str, language: str) -> Account:
        """Make an account of somebody who reads this language; Refusal `email-taken`, or with the wrong fields."""
        body = {"email": email, "password": password, "name": name, "language": language}
        return self.client.post("/users/register", Account, body)

    def log_in(self, email: str, password: str) -> Tokens:
        """Tokens; Refusal 401 if address or password is wrong."""
        return self.client.post("/users/login", Tokens, {"email": email, "password": password})

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens; Refusal 401 if this one does not count any more."""
        return self.client.post("/users/refresh", Tokens, {"refresh_token": refresh_token})

    def log_out(self, refresh_token: str) -> None:
        """Make the refresh token worthless."""
        self.client.writes.request("POST", "/users/logout", body={"refresh_token": refresh_token})

    def me(self, token: str) -> Account:
        """Whose token this is."""
        return self.client.get("/users/me", Account, token)


@dataclass(frozen=True)
class Products:
    """The catalogue."""

    client: Client

    def page(self, page: int, size: int, text: str | None = None) -> ProductPage:
        """A page of it."""
        return self.client.get("/products/", ProductPage, page=page, size=size, q=text or None)

    def get(self, product_id: int) -> Product:
        """One product; Refusal 404."""
        return self.client.get(f"/products/{product_id}", Product)


@dataclass(frozen=True)
class Orders:
    """Carts and orders."""

    client: Client

    def cart(self, token: str) -> Cart:
        """The cart."""
        return self.client.get("/cart", Cart, token)

    def put(self, token: str, product_id: int, quantity: int) -> Cart:
        """Set the quantity of a product; 0 takes it out."""
        return self.client.post("/cart", Cart, {"product_id": product_id, "quantity": quantity}, token)

    def check_out(self, token: str, key: str, note: str | None) -> Order:
        """Make an order of the cart: one per key, however often it is repeated."""
        body = {"note": note} if note else {}
        return self.client.post("/orders/checkout", Order, body, token, {"Idempotency-Key": key})

    def cancel(self, token: str, order_id: uuid.UUID) -> Order:
        """Cancel an order, also a second time; Refusal 404, or 409 `too-late`."""
        return self.client.post(f"/orders/{order_id}/cancel", Order, {}, token)

    def page(self, token: str, page: int, size: int) -> OrderPage:
        """Past orders, newest first."""
        return self.client.get("/orders", OrderPage, token, page=page, size=size)


@dataclass(frozen=True)
class Audit:
    """What happened in the shop."""

    client: Client

    def page(self, token: str, **query: object) -> EventPage:
        """Events, newest first; Refusal 403 unless the token is an administrator's."""
        return self.client.get("/audit/events", EventPage, token, **query)


class Pool:
    """Threads that fetch parts of a page at the same time, under the same request id."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(PARALLEL_CALLS, thread_name_prefix="part")

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Start it."""
        return self._executor.submit(copy_context().run, work)


@dataclass(frozen=True)
class Backend:
    """All services, and the threads to ask several of them at once."""

    users: Users
    products: Products
    orders: Orders
    audit: Audit
    pool: Pool

    def products_by_id(self, ids: Iterable[int]) -> dict[int, Product | None]:
        """These products, a few at a time. A product that is gone is None; one that can't be had now is missing."""
        wanted = list(ids)
        futures = [self.pool.submit(partial(self._lane, wanted[lane::LANES])) for lane in range(LANES)]
        return {product_id: product for future in futures for product_id, product in future.result().items()}

    def _lane(self, ids: list[int]) -> dict[int, Product | None]:
        found: dict[int, Product | None] = {}
        for product_id in ids:
            try:
                found[product_id] = self.products.get(product_id)
            except Refusal:
                found[product_id] = None
            except Unavailable:
                break  # the others would only wait in vain, too
        return found
