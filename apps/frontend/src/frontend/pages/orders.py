"""My orders."""

import uuid

from flask import Blueprint, render_template, request
from tandem_common.problems import ProblemError

from frontend.pages.request import backend, current_session, page_number, parts
from frontend.services import Account, OrderPage

PAGE_SIZE = 10


def declare(blueprint: Blueprint) -> None:
    """Add the list of orders."""

    @blueprint.get("/account/orders")
    def orders() -> str:
        page = page_number()
        found, account = current_session().call(lambda token: _ask(token, page))
        pages = max(1, -(-found.total // PAGE_SIZE))
        return render_template(
            "orders.html", found=found, account=account, page=page, pages=pages, new=_new(found)
        )


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
