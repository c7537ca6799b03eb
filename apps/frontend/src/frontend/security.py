"""What browsers may do with our pages, and which requests may change something."""

from urllib.parse import urlsplit

from flask import Flask, Response, request
from tandem_common.problems import ProblemError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{images}; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY.format(images=""),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would then send the Origin of our own forms as null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class ForeignRequest(ProblemError):
    """403: the request does not come from one of our own pages."""

    def __init__(self) -> None:
        super().__init__(
            403,
            "foreign-request",
            "Not from this site",
            "Only forms of this site may do that. Programs use the services' own operations, with a token.",
        )


def protect(app: Flask) -> None:
    """Refuse cross-site writes, and add the headers to every answer."""

    @app.before_request
    def check() -> None:
        if request.method not in SAFE_METHODS and not from_own_page():
            raise ForeignRequest

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def from_own_page() -> bool:
    """Whether the browser says that a page of this origin sent the request; False if it says nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("Origin", ""))
    return (origin.scheme, origin.netloc) == (request.scheme, request.host)
