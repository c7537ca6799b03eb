"""What pages ask of the present request, and how they answer it."""

import re
import unicodedata
from typing import Any, cast

from flask import Response, current_app, g, make_response, redirect, request, url_for
from tandem_common.api import make_cacheable
from werkzeug.wrappers import Response as AnyResponse

from frontend.services import Backend
from frontend.session import Session

MAX_QUANTITY = 1000
MAX_PAGE = 100_000
_LOCAL = re.compile(r"/(?:en|ru)/[A-Za-z0-9/_-]*(?:\?[A-Za-z0-9=&%+._-]*)?")


def backend() -> Backend:
    """The services."""
    return cast(Backend, current_app.extensions["backend"])


def parts() -> Backend:
    """The services, for calls from the threads of the pool."""
    return cast(Backend, current_app.extensions["parts"])


def current_session() -> Session:
    """The request's session. Never for a public page: its answer would get cookies."""
    if "session" not in g:
        g.session = Session.of(request, backend().users)
    return cast(Session, g.session)


def write_session(response: Response) -> Response:
    """Bring the cookies up to date."""
    if "session" in g:
        current_session().write(response)
    return response


def public(body: str) -> Response:
    """A page that is the same for everybody; 304 if the client has it."""
    return make_cacheable(make_response(body))


def see(endpoint: str, **values: Any) -> AnyResponse:
    """After a form: go and look at that page."""
    return redirect(url_for(f"pages.{endpoint}", **values), 303)


def wants_page() -> bool:
    """Whether the client is a browser that shows a page, not a script or a program."""
    accepted = request.accept_mimetypes
    best = accepted.best_match(["application/problem+json", "application/json", "text/html"])
    return best == "text/html" and not request.path.startswith("/api/")


def local_path(wanted: str | None) -> str | None:
    """A path of our own to go on to after login; None for anything else (it came from outside)."""
    return wanted if wanted and _LOCAL.fullmatch(wanted) else None


def page_number() -> int:
    """Which page of a list is wanted; the first for nonsense."""
    return number(request.args.get("page"), 1, MAX_PAGE) or 1


def number(text: str | None, least: int, most: int) -> int | None:
    """A whole number within these limits."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return None
    value = int(text)
    return value if least <= value <= most else None


def line(text: str | None, most: int) -> str:
    """One line of text: no control characters, no spaces around it, not longer than this."""
    kept = "".join(" " if unicodedata.category(one) in {"Cc", "Cs"} else one for one in text or "")
    return " ".join(kept.split())[:most].rstrip()
