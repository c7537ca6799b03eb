"""Operations of a service: declared once, with models of input and answers; checked and documented so."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.http import quote_etag

from tandem_common.logs import about
from tandem_common.problems import FieldError, Forbidden, InvalidInput, Malformed, ProblemError, Unauthorized
from tandem_common.tokens import Claims, InvalidToken, Verifier

MAX_BODY_BYTES = 64 * 1024
JSON = "application/json"
PUBLIC = "public, max-age=0, s-maxage=2, stale-while-revalidate=30, stale-if-error=86400"
"""Cache-Control of answers that are the same for everybody: the edge keeps them, browsers ask again."""


@dataclass(frozen=True)
class Answer:
    """An answer whose status or headers are not the operation's usual ones."""

    model: BaseModel | None
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


Result = BaseModel | Answer | Response
Handler = Callable[..., Result]


@dataclass(frozen=True)
class Header:
    """A request header that the operation takes."""

    name: str
    description: str
    max_length: int
    required: bool = True


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    handler: Handler
    body: type[BaseModel] | None = None
    body_required: bool = True
    query: type[BaseModel] | None = None
    header: Header | None = None
    token: bool = False
    role: str | None = None
    """Which role the token must have."""
    cacheable: bool = False
    """Its successes are the same for everybody and may be kept by the edge; all else is `no-store`."""
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    problems: Sequence[int] = ()
    hidden: bool = False

    def __post_init__(self) -> None:
        if self.role and not self.token:
            raise ValueError(f"{self.method} {self.path}: only a token has roles")
        if self.cacheable and (self.method != "GET" or self.token or self.header):
            raise ValueError(
                f"{self.method} {self.path}: only a GET that is the same for everybody is cacheable"
            )

    @property
    def success(self) -> int:
        """The usual status."""
        return min(self.answers, default=200)


class Api:
    """The operations of one service.

    A handler gets its path parameters and, where declared, `body`, `query`, `header` and `claims` as keyword
    arguments. It returns a model (sent with the first status of `answers`), an Answer, or a ready Response.
    """

    def __init__(self, title: str, prefix: str, description: str, verifier: Verifier | None = None) -> None:
        self.title = title
        self.prefix = prefix
        self.description = description
        self.operations: list[Operation] = []
        self._verifier = verifier

    def operation(
        self, method: str, path: str, summary: str, **declared: Any
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated function as an operation; `declared` are fields of Operation."""

        def declare(handler: Handler) -> Handler:
            self.operations.append(Operation(method, path, summary, handler, **declared))
            return handler

        return declare

    def mount(self, app: Flask) -> None:
        """Add the operations to a Flask application."""
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        for operation in self.operations:
            app.add_url_rule(
                operation.path,
                endpoint=f"{operation.method} {operation.path}",
                methods=[operation.method],
                view_func=self._view(operation),
                strict_slashes=False,
            )

    def _view(self, operation: Operation) -> Callable[..., Response]:
        def view(**parameters: Any) -> Response:
            arguments = dict(parameters)
            if operation.token:
                arguments["claims"] = self._claims(operation.role)
            if operation.header:
                arguments["header"] = read_header(operation.header)
            if operation.query:
                arguments["query"] = read_query(operation.query)
            if operation.body:
                arguments["body"] = read_body(operation.body, required=operation.body_required)
            response = respond(operation.handler(**arguments), operation.success)
            return (
                make_cacheable(response) if operation.cacheable and response.status_code == 200 else response
            )

        return view

    def _claims(self, role: str | None) -> Claims:
        if self._verifier is None:
            raise RuntimeError("an operation wants a token but the service has no keys to verify it")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Send an access token: Authorization: Bearer <token>.")
        try:
            claims = self._verifier.verify(token.strip())
        except InvalidToken as error:
            challenge = f'Bearer error="invalid_token", error_description="{error}"'
            raise Unauthorized(f"Refused: {error}.", challenge=challenge) from error
        about(user_id=claims.user_id)
        if role and role not in claims.roles:
            raise Forbidden(f"Only for the role {role}.")
        return claims


def respond(result: Result, status: int) -> Response:
    """Turn what a handler returned into a response."""
    if isinstance(result, Response):
        return result
    answer = result if isinstance(result, Answer) else Answer(result, status)
    text = answer.model.model_dump_json() if answer.model is not None else ""
    return Response(text, status=answer.status, headers=dict(answer.headers), mimetype=JSON)


def make_cacheable(response: Response) -> Response:
    """Add Cache-Control and an ETag of the body; 304 without a body if the client has this one (RFC 9110, 13.1.2)."""
    tag = hashlib.blake2b(response.get_data(), digest_size=16).hexdigest()
    headers = {"Cache-Control": PUBLIC, "ETag": quote_etag(tag)}
    if "If-None-Match" in request.headers and request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    response.headers.update(headers)
    return response


def read_body(model: type[BaseModel], *, required: bool = True) -> BaseModel:
    """The request's JSON body as a model; an empty one counts as {} unless it is required."""
    data = request.get_data(cache=False)
    if not data and not required:
        data = b"{}"
    elif not request.is_json:
        raise ProblemError(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            "Send JSON with Content-Type: application/json.",
        )
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _problem(error, "body") from error


def read_query(model: type[BaseModel]) -> BaseModel:
    """The query parameters as a model; of a repeated one the first counts."""
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise _problem(error, "query") from error


def read_header(header: Header) -> str | None:
    """A request header of printable ASCII characters."""
    value = request.headers.get(header.name)
    if value is None and not header.required:
        return None
    if value is None:
        raise Malformed(f"the header {header.name} is required", field=header.name)
    if not value.strip() or not value.isascii() or not value.isprintable():
        raise Malformed("must be printable ASCII characters", field=header.name)
    if len(value) > header.max_length:
        raise Malformed(f"must not be longer than {header.max_length} characters", field=header.name)
    return value


def _problem(error: ValidationError, place: str) -> ProblemError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return Malformed(details[0]["msg"], field=place)
    return InvalidInput([_field_error(detail, place) for detail in details])


def _field_error(detail: ErrorDetails, place: str) -> FieldError:
    path = ".".join(str(part) for part in detail["loc"])
    return FieldError(field=path or place, reason=detail["msg"])
