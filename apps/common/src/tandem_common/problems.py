"""Errors as the client sees them: RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class FieldError(BaseModel):
    """One wrong part of the input."""

    field: str = Field(description="Where: a path into the body, a query parameter or a header")
    reason: str


class Problem(BaseModel):
    """Body of every answer that is not a success (RFC 9457)."""

    type: str = Field(default="about:blank", examples=["urn:tandem:problem:invalid-input"])
    title: str
    status: int
    detail: str | None = None
    request_id: str | None = None
    errors: list[FieldError] | None = Field(default=None, description="Every wrong field and why")


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.type = f"urn:tandem:problem:{name}"
        self.title = title
        self.detail = detail
        self.errors = list(errors) if errors else None
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def document(self, request_id: str | None) -> dict[str, Any]:
        """The JSON object to send; members without a value are left out."""
        problem = Problem(
            type=self.type,
            title=self.title,
            status=self.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
        )
        return {**problem.model_dump(exclude_none=True), **self.extra}


class InvalidInput(ProblemError):
    """422: the input was understood but is wrong; says which field and why."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(422, "invalid-input", "Invalid input", "See the list of errors.", errors=errors)

    @classmethod
    def of(cls, field: str, reason: str) -> "InvalidInput":
        """A single wrong field."""
        return cls([FieldError(field=field, reason=reason)])


class Malformed(ProblemError):
    """400: the request can't be read at all."""

    def __init__(self, detail: str, field: str = "body") -> None:
        error = FieldError(field=field, reason=detail)
        super().__init__(400, "malformed", "Malformed request", detail, errors=[error])


class Unauthorized(ProblemError):
    """401: no token, or one that does not count."""

    def __init__(self, detail: str, *, challenge: str = "Bearer") -> None:
        super().__init__(401, "unauthorized", "Unauthorized", detail, headers={"WWW-Authenticate": challenge})


class Forbidden(ProblemError):
    """403: the token counts, but does not allow this."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, "forbidden", "Forbidden", detail)


class NotFound(ProblemError):
    """404: there is no such thing."""

    def __init__(self, detail: str) -> None:
        super().__init__(404, "not-found", "Not found", detail)


class Conflict(ProblemError):
    """409: the request is fine but does not fit the present state."""

    def __init__(self, name: str, title: str, detail: str | None = None, **more: Any) -> None:
        super().__init__(409, name, title, detail, **more)


class Unavailable(ProblemError):
    """503: certainly not done; the same request may simply be sent again."""

    def __init__(
        self, detail: str, *, name: str = "unavailable", title: str = "Temporarily unavailable"
    ) -> None:
        super().__init__(503, name, title, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class OutcomeUnknown(Unavailable):
    """503: nobody can say yet whether the write happened. Repeating it with the same key is safe."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(
            detail
            or "The write may or may not have happened: send the same request again,"
            " with the same Idempotency-Key where there is one.",
            name="outcome-unknown",
            title="Outcome unknown",
        )
