"""My orders."""

import uuid

from flask import Blueprint, Response, jsonify, render_template, request
from tandem_common.problems import ProblemError, Unavailable
from werkzeug.wrappers import Response as AnyResponse

from frontend.pages.request import backend, current_session, page_number, parts, see
from frontend.rendering import words
from frontend.services import Account, Order, OrderPage, Refusal

PAGE_SIZE = 10


def declare(blueprint: Blueprint) -> None:
    """Add the list of orders."""

    @blueprint.get("/account/orders")
    def orders() -> str:
        page = page_number()
        found, account = current_session().call(lambda token: _ask(token, page))
        pages = max(1, -(-found.total // PAGE_SIZE))
        return render_template(
            "orders.html",
            found=found,
            account=account,
            page=page,
            pages=pages,
            new=_new(found),
            help_of=help_of,
        )

    @blueprint.get("/account/orders/states")
    def states() -> Response:
        """What orders.js asks for, until all orders of the page are final."""
        page = page_number()
        found = current_session().call(lambda token: backend().orders.page(token, page, PAGE_SIZE))
        return jsonify(orders=[_state(order) for order in found.items])

    @blueprint.post("/account/orders/<uuid:order_id>/cancel")
    def cancel(order_id: uuid.UUID) -> AnyResponse:
        try:
            current_session().call(lambda token: backend().orders.cancel(token, order_id))
        except Refusal as error:
            if error.status == 401:
                raise
            return see("orders", problem="too_late", _anchor=f"order-{order_id}")
        except Unavailable:
            return see("orders", problem="not_cancelled", _anchor=f"order-{order_id}")
        return see("orders", done="cancelled", _anchor=f"order-{order_id}")


def help_of(order: Order) -> str:
    """A sentence about the order's status, in the page's language."""
    text = words()
    if order.status == "rejected":
        name = f"status.rejected_{order.reason}"
        return text(name if text.has(name) else "status.rejected_help")
    if order.status == "shipped" and order.tracking:
        return text("status.shipped_tracking", tracking=order.tracking)
    return text(f"status.{order.status}_help")


def _state(order: Order) -> dict[str, object]:
    return {
        "id": str(order.id),
        "status": order.status,
        "text": words()(f"status.{order.status}"),
        "help": help_of(order),
        "final": order.final,
        "cancellable": order.cancellable,
    }


def _ask(token: str, page: int) -> tuple[OrderPage, Account | None]:
    """A page of orders, and whose they are; the page goes without the latter while users does not answer."""
    users = parts().users
    account = backend().pool.submit(lambda: users.me(token))
    found = backend().orders.page(token, page, PAGE_SIZE)
    try:
        return found, account.result()
    except ProblemError:
        return found, None


def _new(found: OrderPage) -> uuid.UUID | None:
    """The order that was just made, if it really is one of these."""
    wanted = request.args.get("new")
    return next((order.id for order in found.items if str(order.id) == wanted), None)
