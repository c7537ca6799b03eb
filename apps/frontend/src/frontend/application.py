"""The frontend application."""

from typing import Any

from flask import Flask, Response, jsonify, render_template
from tandem_common import openapi
from tandem_common.api import Api
from tandem_common.application import create_application, metadata_version
from tandem_common.calls import Service
from tandem_common.metrics import Metrics

from frontend import pages, security
from frontend.assets import Assets
from frontend.documents import Documents
from frontend.home import Home, HomeQuery, HomeView, Recommendations
from frontend.pages.request import current_session
from frontend.rendering import set_up_templates
from frontend.services import (
    PARALLEL_CALLS,
    Audit,
    Backend,
    Client,
    Orders,
    Pool,
    Products,
    Users,
)
from frontend.settings import FrontendSettings


def create_app(settings: FrontendSettings | None = None) -> Flask:
    """The application; connects to nothing yet."""
    settings = settings or FrontendSettings.load()
    pool = Pool()
    times = settings.read_seconds, settings.write_seconds
    backend = _backend(settings, pool, *times)
    # Parts of pages are fetched by the pool's threads, which have a share of calls of their own.
    parts = _backend(settings, pool, settings.home_seconds, settings.home_seconds, at_once=PARALLEL_CALLS)
    api = Api("Shop", "/api", "The whole shop: accounts, catalogue, carts and orders.")
    _declare_home(api, Home(parts, Recommendations(parts), settings.home_seconds))
    app = create_application("frontend", settings, api, metrics=Metrics())
    app.extensions["backend"] = backend
    app.extensions["parts"] = parts
    set_up_templates(app, Assets.load())
    security.protect(app)
    pages.mount(app)
    own = openapi.document(api, metadata_version("frontend"))
    app.extensions["document"] = own
    _mount_documents(app, _documents(settings, own, pool))
    return app


def _backend(settings: FrontendSettings, pool: Pool, read: float, write: float, **more: Any) -> Backend:
    return Backend(
        Users(Client.of("users", settings.users_url, read, write, **more)),
        Products(Client.of("products", settings.products_url, read, write, **more)),
        Orders(Client.of("orders", settings.orders_url, read, write, **more)),
        Audit(Client.of("audit", settings.audit_url, read, write, **more)),
        pool,
    )


def _declare_home(api: Api, home: Home) -> None:
    @api.operation(
        "GET", "/api/home", "Several parts in one answer", query=HomeQuery, answers={200: HomeView}
    )
    def get_home(query: HomeQuery) -> HomeView:
        """Whoever sends a token (or the shop's cookies) gets their own parts. Each part that can't be had in time is
        null, and `problems` says why."""
        return home.view(current_session(), query.parts)


def _documents(settings: FrontendSettings, own: dict[str, Any], pool: Pool) -> Documents:
    urls = {"users": settings.users_url, "products": settings.products_url, "orders": settings.orders_url}
    urls["audit"] = settings.audit_url
    services = {name: Service(name, url, answer_seconds=settings.home_seconds) for name, url in urls.items()}
    return Documents(services, own, pool)


def _mount_documents(app: Flask, documents: Documents) -> None:
    def document() -> Response:
        return jsonify(documents.merged())

    def viewer() -> Response:
        response = Response(render_template("docs.html"))
        # The viewer's style sheet has pictures of its own inside.
        response.headers["Content-Security-Policy"] = security.POLICY.format(images=" data:")
        return response

    app.view_functions["openapi"] = document
    app.add_url_rule("/api/docs", endpoint="docs", view_func=viewer)
