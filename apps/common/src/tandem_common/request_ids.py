"""The id of a request, which logs, calls to other services and events carry. Knows nothing of the web framework."""

import structlog

HEADER = "X-Request-Id"


def request_id() -> str | None:
    """Id of the present request, taken from the edge or made here; None outside a request."""
    value: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return value
