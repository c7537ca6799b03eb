"""Who is logged in: two cookies that scripts can't read, with the access token and the one that gets the next.

The browser forgets the access token a little before it expires. The next request then comes with the refresh
token only, and gets new ones. Nothing is kept on the server.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from flask import Request, Response
from tandem_common.problems import Unauthorized

from frontend.services import Refusal, Tokens, Users

ACCESS = "__Host-access"
REFRESH = "__Host-refresh"
MARGIN_SECONDS = 30
"""An access token is replaced this long before it expires."""
T = TypeVar("T")


class LoginRequired(Unauthorized):
    """401: nobody is logged in, or not any more."""

    def __init__(self) -> None:
        super().__init__("Log in first.")


class Session:
    """The session of one request. Its threads share it; tokens are renewed at most once."""

    def __init__(
        self, users: Users, access: str | None, refresh: str | None, bearer: str | None = None
    ) -> None:
        self._users = users
        self._access = access
        self._refresh = refresh
        self._bearer = bearer
        self._lock = threading.Lock()
        self._given: Tokens | None = None
        self._ended = False

    @classmethod
    def of(cls, request: Request, users: Users) -> "Session":
        """The session that the request's cookies, or its own Authorization header, stand for."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else None
        return cls(users, request.cookies.get(ACCESS), request.cookies.get(REFRESH), bearer or None)

    @property
    def present(self) -> bool:
        """Whether somebody seems to be logged in."""
        return bool(self._bearer or self._access or self._refresh)

    def call(self, work: Callable[[str], T]) -> T:
        """Do something with an access token, once more with a new one if it was refused.

        Raises LoginRequired, Unauthorized for a client's own token that is refused, and Unavailable when new tokens
        can't be had at the moment.
        """
        if self._bearer:
            return _with_own(work, self._bearer)
        token = self._access or self._renew(None)
        try:
            return work(token)
        except Refusal as error:
            if error.status != 401:
                raise
            return self._again(work, token)

    def _again(self, work: Callable[[str], T], refused: str) -> T:
        try:
            return work(self._renew(refused))
        except Refusal as error:
            if error.status != 401:
                raise
            self.end()
            raise LoginRequired from error

    def _renew(self, refused: str | None) -> str:
        with self._lock:
            if self._access and self._access != refused:
                return self._access  # another thread was faster
            if not self._refresh or self._given:
                self.end()
                raise LoginRequired
            try:
                tokens = self._users.refresh(self._refresh)
            except Refusal as error:
                self.end()
                raise LoginRequired from error
            self.begin(tokens)
            return tokens.access_token

    def begin(self, tokens: Tokens) -> None:
        """Log in with these."""
        self._given, self._ended = tokens, False
        self._access, self._refresh = tokens.access_token, tokens.refresh_token

    def end(self) -> None:
        """Forget everything."""
        self._given, self._ended = None, True
        self._access = self._refresh = None

    def revoke(self) -> None:
        """Log out: here in any case, everywhere if the users service answers (Unavailable if it does not)."""
        token = self._refresh
        self.end()
        if token:
            self._users.log_out(token)

    def write(self, response: Response) -> None:
        """Set or take away the cookies."""
        if self._given:
            tokens = self._given
            lifetime = max(tokens.expires_in - MARGIN_SECONDS, tokens.expires_in // 2)
            _set(response, ACCESS, tokens.access_token, lifetime)
            _set(response, REFRESH, tokens.refresh_token, tokens.refresh_expires_in)
        elif self._ended:
            _set(response, ACCESS, "", 0)
            _set(response, REFRESH, "", 0)


def _with_own(work: Callable[[str], T], token: str) -> T:
    try:
        return work(token)
    except Refusal as error:
        if error.status != 401:
            raise
        raise Unauthorized(
            "Refused: the token does not count.", challenge='Bearer error="invalid_token"'
        ) from error


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax")
