"""The cart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, jsonify, render_template, request
from flask import Response as FlaskResponse
from tandem_common.fields import Money
from tandem_common.problems import InvalidInput, ProblemError
from werkzeug.wrappers import Response

from frontend.pages.request import MAX_QUANTITY, backend, current_session, number, parts, see, wants_page
from frontend.services import Cart, Product, Refusal

MAX_PRODUCT = 2**31 - 1


@dataclass(frozen=True)
class Line:
    """A line of the cart as the page shows it."""

    product_id: int
    quantity: int
    product: Product | None
    known: bool
    """False if the catalogue could not be asked; True without a product means that it is gone."""

    @property
    def short(self) -> bool:
        """Whether more is wanted than there is."""
        return self.product is not None and self.quantity > self.product.available


@dataclass(frozen=True)
class CartPage:
    """A cart with the products of the catalogue."""

    lines: list[Line]

    @classmethod
    def of(cls, cart: Cart) -> "CartPage":
        """Ask the catalogue for the products; what can't be had now is shown without."""
        products: Mapping[int, Product | None] = parts().products_by_id(
            item.product_id for item in cart.items
        )
        return cls(
            [
                Line(
                    item.product_id, item.quantity, products.get(item.product_id), item.product_id in products
                )
                for item in cart.items
            ]
        )

    @property
    def count(self) -> int:
        """Number of pieces."""
        return sum(line.quantity for line in self.lines)

    @property
    def complete(self) -> bool:
        """Whether the catalogue could be asked for every line."""
        return all(line.known for line in self.lines)

    @property
    def total(self) -> Money | None:
        """What it costs at the moment; None if that is not known or in several currencies."""
        prices = [(line.quantity, line.product.price) for line in self.lines if line.product]
        currencies = {price.currency for _, price in prices}
        if len(prices) < len(self.lines) or len(currencies) != 1:
            return None
        return Money(amount=sum(count * price.amount for count, price in prices), currency=currencies.pop())


def declare(blueprint: Blueprint) -> None:
    """Add the cart."""

    @blueprint.get("/cart")
    def cart() -> str:
        found = current_session().call(backend().orders.cart)
        return render_template("cart.html", cart=CartPage.of(found))

    @blueprint.post("/cart/items")
    def add_item() -> Response:
        product_id = number(request.form.get("product_id"), 1, MAX_PRODUCT)
        quantity = number(request.form.get("quantity", "1"), 1, MAX_QUANTITY)
        if product_id is None or quantity is None:
            return _refuse(InvalidInput.of("quantity", f"must be 1 to {MAX_QUANTITY}"), "quantity")
        return _change(lambda: add(product_id, quantity), "added", product_id)

    @blueprint.post("/cart/items/<int:product_id>")
    def change_item(product_id: int) -> Response:
        remove = "remove" in request.form
        quantity = 0 if remove else number(request.form.get("quantity"), 0, MAX_QUANTITY)
        if quantity is None:
            return _refuse(InvalidInput.of("quantity", f"must be 0 to {MAX_QUANTITY}"), "quantity")
        session, orders = current_session(), backend().orders
        done = "changed" if quantity else "removed"
        return _change(
            lambda: session.call(lambda token: orders.put(token, product_id, quantity)), done, product_id
        )


def add(product_id: int, quantity: int) -> Cart:
    """Put so many more of a product into the cart of who is logged in."""
    orders = backend().orders

    def work(token: str) -> Cart:
        present = orders.cart(token).quantity(product_id)
        return orders.put(token, product_id, min(present + quantity, MAX_QUANTITY))

    return current_session().call(work)


def _change(work: Callable[[], Cart], done: str, product_id: int) -> Response:
    try:
        cart = work()
    except Refusal as error:
        return _refuse(error, "cart_full" if error.name == "cart-full" else "not_added")
    return see("cart", done=done) if wants_page() else _state(cart, product_id)


def _state(cart: Cart, product_id: int) -> FlaskResponse:
    return jsonify(count=cart.count, quantity=cart.quantity(product_id))


def _refuse(error: ProblemError, problem: str) -> Response:
    if not wants_page():
        raise error
    return see("cart", problem=problem)
