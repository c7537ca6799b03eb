"""HTTP operations of the users service."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Response
from pydantic import AfterValidator, Field, StringConstraints
from tandem_common.api import Api, Header
from tandem_common.fields import Input, Output, no_control_characters
from tandem_common.problems import Unauthorized
from tandem_common.tokens import Claims, Verifier
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from users.accounts import Accounts, Grant
from users.emails import normalise
from users.models import User

MAX_PASSWORD = 256
LANGUAGES = ("en", "ru")
LANGUAGE = Header(
    "Accept-Language", "In which to write to the account's owner: en or ru", max_length=1000, required=False
)
Email = Annotated[str, AfterValidator(normalise), Field(max_length=1024, examples=["ann@example.org"])]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(no_control_characters),
]


class Registration(Input):
    """A new account."""

    email: Email
    password: str = Field(min_length=8, max_length=MAX_PASSWORD)
    name: Name
    language: Literal["en", "ru"] | None = Field(
        default=None,
        description="In which to write to the account's owner; without it, as Accept-Language says",
    )


class Login(Input):
    """Who wants a token."""

    email: str = Field(max_length=1024)
    password: str = Field(max_length=1024)


class Refresh(Input):
    """The token that a login or the last refresh gave."""

    refresh_token: str


class Account(Output):
    """An account as its owner sees it."""

    id: uuid.UUID
    email: str
    name: str
    created_at: datetime
    roles: list[str] = Field(description="Of its next tokens", examples=[["admin"]])

    @classmethod
    def of(cls, user: User) -> "Account":
        """From its row."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            created_at=user.created_at,
            roles=sorted(user.roles),
        )


class Token(Output):
    """An access token (RFC 6749, 5.1), and what gets the next one."""

    access_token: str
    token_type: Literal["Bearer"] = Field(default="Bearer")
    expires_in: int = Field(description="Seconds")
    refresh_token: str = Field(description="Opaque; of use at /users/refresh and /users/logout only")
    refresh_expires_in: int = Field(description="Seconds")

    @classmethod
    def of(cls, grant: Grant, accounts: Accounts) -> "Token":
        """From what was granted."""
        return cls(
            access_token=grant.access_token,
            expires_in=accounts.issuer.lifetime_seconds,
            refresh_token=grant.refresh_token,
            refresh_expires_in=int(accounts.refresh_tokens.lifetime.total_seconds()),
        )


class Key(Output):
    """A public key (RFC 7517)."""

    kid: str
    kty: str
    crv: str
    x: str
    y: str
    use: str
    alg: str


class KeySet(Output):
    """The public keys that tokens may be signed with."""

    keys: list[Key]


def build(accounts: Accounts, verifier: Verifier) -> Api:
    """The service's operations."""
    api = Api("Users", "/users", "Accounts of the shop.", verifier)
    _declare_accounts(api, accounts)
    _declare_tokens(api, accounts, KeySet.model_validate(verifier.key_set()))
    return api


def _declare_accounts(api: Api, accounts: Accounts) -> None:
    @api.operation(
        "POST",
        "/users/register",
        "Make an account",
        header=LANGUAGE,
        body=Registration,
        answers={201: Account},
        problems=[409],
    )
    def register(body: Registration, header: str | None) -> Account:
        """After an unknown outcome repeat the request: 409 then means that the account exists."""
        accepted = parse_accept_header(header, LanguageAccept)
        language = body.language or accepted.best_match(LANGUAGES, default=LANGUAGES[0])
        return Account.of(accounts.register(body.email, body.password, body.name, language))

    @api.operation("GET", "/users/me", "The token's account", token=True, answers={200: Account})
    def me(claims: Claims) -> Account:
        user = accounts.get(claims.user_id)
        if user is None:
            raise Unauthorized("Refused: the account no longer exists.")
        return Account.of(user)


def _declare_tokens(api: Api, accounts: Accounts, keys: KeySet) -> None:
    @api.operation(
        "POST", "/users/login", "Get an access token", body=Login, answers={200: Token}, problems=[401]
    )
    def log_in(body: Login) -> Token:
        try:
            email = normalise(body.email)
        except ValueError:
            email = None  # no account can have it; answered like any unknown address
        return Token.of(accounts.log_in(email, body.password), accounts)

    @api.operation(
        "POST",
        "/users/refresh",
        "Get the next access token",
        body=Refresh,
        answers={200: Token},
        problems=[401],
    )
    def refresh(body: Refresh) -> Token:
        """Also gives the next refresh token: keep that one. After an answer 503, or none, repeat the request."""
        return Token.of(accounts.refresh(body.refresh_token), accounts)

    @api.operation("POST", "/users/logout", "End a login", body=Refresh, answers={204: None})
    def log_out(body: Refresh) -> Response:
        """No refresh token of this login counts any more; access tokens do for the rest of their time."""
        accounts.log_out(body.refresh_token)
        return Response(status=204)

    @api.operation("GET", "/users/.well-known/jwks.json", "The tokens' public keys", answers={200: KeySet})
    def key_set(**_: Any) -> KeySet:
        return keys
