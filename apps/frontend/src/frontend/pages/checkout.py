"""Checkout. The form makes the key; a repeated form means the same order, whatever became of the first answer."""

import uuid

from flask import Blueprint, render_template, request
from tandem_common.calls import CallFailed
from tandem_common.logs import about
from tandem_common.problems import Unavailable
from werkzeug.wrappers import Response

from frontend.pages.cart import CartPage
from frontend.pages.request import backend, current_session, line, see
from frontend.services import Refusal

MAX_NOTE = 500
KEEP_KEY = frozenset({"cart-changed", "not-enough-stock", "invalid-input"})
"""Refusals after which the key has made no order and may be used again."""
Page = str | tuple[str, int] | tuple[str, int, dict[str, str]] | Response


def declare(blueprint: Blueprint) -> None:
    """Add the checkout."""

    @blueprint.get("/checkout")
    def checkout() -> Page:
        """A key comes along when the login ran out before a form could be repeated."""
        key = _key(request.args.get("key"))
        return _form(key or str(uuid.uuid4()), "", empty="orders" if key else "cart")

    @blueprint.post("/checkout")
    def order() -> Page:
        key, note = _key(request.form.get("key")), line(request.form.get("note"), MAX_NOTE)
        if key is None:
            return _form(str(uuid.uuid4()), note)
        orders = backend().orders
        try:
            made = current_session().call(lambda token: orders.check_out(token, key, note or None))
        except Refusal as error:
            return _refused(error, key, note)
        except Unavailable as error:
            unknown = isinstance(error, CallFailed) and error.maybe_done
            page = render_template("checkout_again.html", key=key, note=note, unknown=unknown)
            return page, 503, error.headers
        about(order_id=made.id)
        return see("orders", new=made.id, _anchor=f"order-{made.id}")


def _key(text: str | None) -> str | None:
    """The form's key; None if it is not one of ours."""
    try:
        return str(uuid.UUID(text or ""))
    except ValueError:
        return None


def _form(key: str, note: str, refusal: Refusal | None = None, empty: str = "cart") -> Page:
    cart = CartPage.of(current_session().call(backend().orders.cart))
    if not cart.lines and refusal is None:
        return see(empty)
    page = render_template("checkout.html", cart=cart, key=key, note=note, refusal=refusal, max_note=MAX_NOTE)
    return page, refusal.status if refusal else 200


def _refused(error: Refusal, key: str, note: str) -> Page:
    if error.name == "cart-empty":
        return see("cart", problem="cart_empty")
    if error.name == "idempotency-key-reused":
        return see("orders", problem="already_ordered")
    return _form(key if error.name in KEEP_KEY else str(uuid.uuid4()), note, error)
