"""The pages. Those below /<language>/shop/ are the same for everybody; all others belong to one person."""

from flask import Blueprint, Flask, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from frontend.pages import account, audit, cart, checkout, errors, orders, shop
from frontend.pages.request import write_session
from frontend.rendering import page_language


def mount(app: Flask) -> None:
    """Add all pages, in all languages."""
    blueprint = Blueprint("pages", __name__, url_prefix="/<any(en, ru):language>")

    @blueprint.url_value_preprocessor
    def take_language(_endpoint: str | None, values: dict[str, object] | None) -> None:
        (values or {}).pop("language", None)  # pages find it by page_language()

    @app.url_defaults
    def give_language(endpoint: str, values: dict[str, object]) -> None:
        if endpoint.startswith("pages."):
            values.setdefault("language", page_language())

    for part in (shop, account, cart, checkout, orders, audit):
        part.declare(blueprint)

    @blueprint.get("/")
    def start() -> AnyResponse:
        return redirect(url_for("pages.catalogue"), 303)

    app.register_blueprint(blueprint)
    app.add_url_rule("/", endpoint="root", view_func=start)
    app.add_url_rule("/robots.txt", endpoint="robots", view_func=_robots)
    app.after_request(write_session)
    errors.mount(app)


def _robots() -> Response:
    rules = [
        f"Disallow: /{language}/{path}"
        for language in ("en", "ru")
        for path in ("account/", "cart", "checkout")
    ]
    return Response("\n".join(["User-agent: *", *rules, "Disallow: /api/", ""]), mimetype="text/plain")
