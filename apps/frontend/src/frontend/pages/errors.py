"""Problems as browsers get them: a page instead of JSON. Status and headers stay as they are."""

from typing import Any

from flask import Flask, Response, redirect, render_template, request, url_for
from tandem_common.problems import MEDIA_TYPE
from tandem_common.request_ids import request_id
from werkzeug.wrappers import Response as AnyResponse

from frontend.pages.request import local_path, wants_page
from frontend.rendering import words


def mount(app: Flask) -> None:
    """Turn every problem that a browser would see into a page; whoever is not logged in gets the login."""

    @app.after_request
    def show(response: Response) -> AnyResponse:
        if response.mimetype != MEDIA_TYPE or not wants_page():
            return response
        if response.status_code == 401:
            return redirect(url_for("pages.login", **_aim()), 303)
        response.set_data(_page(response.status_code))
        response.mimetype = "text/html"
        return response


def _page(status: int) -> str:
    name = f"problem.{status}" if words().has(f"problem.{status}.title") else "problem.other"
    again = request.full_path.rstrip("?") if request.method == "GET" else None
    return render_template("error.html", problem=name, status=status, again=again, request_id=request_id())


def _aim() -> dict[str, Any]:
    """What to do after login: see this page, put that product into the cart, or send that order again."""
    if request.method == "GET":
        wanted = local_path(request.full_path.rstrip("?"))
        return {"next": wanted} if wanted else {}
    if request.endpoint == "pages.cancel":
        return {"next": local_path(url_for("pages.orders"))}
    product = request.form.get("product_id")
    if product:
        return {"add": product}
    key = request.form.get("key")
    again = local_path(url_for("pages.checkout", key=key)) if key else None
    return {"next": again or url_for("pages.cart")}
