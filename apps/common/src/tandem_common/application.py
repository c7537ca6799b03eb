"""Puts a service's Flask application together."""

import re
import time
import uuid
from importlib import metadata

import psycopg2
import structlog
from flask import Flask, Response, g, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from tandem_common import health, logs, openapi, request_ids
from tandem_common.api import Api
from tandem_common.database import Database, code_of
from tandem_common.metrics import Metrics
from tandem_common.problems import MEDIA_TYPE, Malformed, Problem, ProblemError
from tandem_common.request_ids import request_id
from tandem_common.settings import DatabaseSettings, ServiceSettings
from tandem_common.watch import Watch

log = structlog.get_logger("request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def create_application(
    package: str, settings: ServiceSettings, api: Api, *, metrics: Metrics, database: Database | None = None
) -> Flask:
    """A Flask application with the API's operations, its OpenAPI document, health, metrics, logs and errors.

    Connects to nothing; the database is watched from the first request on.
    """
    logs.configure(settings)
    app = Flask(package, static_folder=None)
    watch = None
    if database is not None and isinstance(settings, DatabaseSettings):
        watch = Watch(database, grace_seconds=settings.ready_grace_seconds, registry=metrics.registry)
    app.extensions["database"] = database
    _follow_requests(app, metrics, watch)
    _answer_errors(app)
    health.mount(app, settings, metrics, watch)
    api.mount(app)
    description = openapi.document(api, metadata_version(package))
    app.add_url_rule(f"{api.prefix}/openapi.json", endpoint="openapi", view_func=lambda: description)
    return app


def metadata_version(package: str) -> str:
    """Version of the installed package; "0" when it runs from its source folder."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "0"


def _follow_requests(app: Flask, metrics: Metrics, watch: Watch | None) -> None:
    bound = log.bind()  # put together once, not for every request

    @app.before_request
    def begin() -> None:
        given = request.headers.get(request_ids.HEADER, "")
        structlog.contextvars.clear_contextvars()
        logs.about(
            request_id=given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex,
            order_id=(request.view_args or {}).get("order_id"),
        )
        g.started = time.perf_counter()
        metrics.present.inc()
        if watch:
            watch.start()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[request_ids.HEADER] = request_id() or ""
        response.headers.setdefault("Cache-Control", "no-store")
        seconds = time.perf_counter() - g.started
        route = request.url_rule.rule if request.url_rule else "unknown"
        metrics.requests.labels(request.method, route, response.status_code).inc()
        metrics.seconds.labels(request.method, route).observe(seconds)
        write = bound.debug if request.path in health.PATHS and response.status_code < 500 else bound.info
        write(
            "request",
            method=request.method,
            path=request.path,
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
        )
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        metrics.present.dec()
        structlog.contextvars.clear_contextvars()


def _answer_errors(app: Flask) -> None:
    def send(problem: dict[str, object], status: int, headers: dict[str, str]) -> Response:
        response = Response(app.json.dumps(problem), status=status, mimetype=MEDIA_TYPE)
        response.headers.update(headers)
        return response

    @app.errorhandler(ProblemError)
    def declared(error: ProblemError) -> Response:
        return send(error.document(request_id()), error.status, error.headers)

    @app.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> Response:
        status = error.code or 500
        problem = Problem(title=error.name, status=status, detail=error.description, request_id=request_id())
        headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        return send(problem.model_dump(exclude_none=True), status, headers)

    @app.errorhandler(DBAPIError)
    def of_database(error: DBAPIError) -> Response:
        # Class 22, "data exception": input that the checks let through but PostgreSQL can't take.
        if (code_of(error) or "").startswith("22") or isinstance(error.orig, psycopg2.DataError):
            log.warning("refused by the database", code=code_of(error))
            return declared(Malformed("a value can't be stored"))
        return unexpected(error)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request failed", exc_info=error)
        problem = Problem(
            title="Internal server error",
            status=500,
            detail="The error was logged under the request's id.",
            request_id=request_id(),
        )
        return send(problem.model_dump(exclude_none=True), 500, {})
