# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What ``platform_gateway`` may say: which tokens the edges believe, and how much each caller may ask."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from . import names
from .schema import Strict, Words, wrong

MAX_REQUESTS = 1_000_000
MAX_PERIOD_S = 3600  # a reload of HAProxy begins all counting anew, so longer periods would promise too much
MAX_KEYS = 8
MAX_CLIENTS = 1000
# What may stand in HAProxy's configuration without quotes.
CLAIM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/@+-]{0,254}")
CLIENT_SECRETS = "gateway/clients"


def _claim(value: str) -> str:
    if not CLAIM.fullmatch(value):
        raise wrong(
            f"{value!r} can not be compared with a token's claim",
            "use at most 255 letters, digits and . _ ~ : / @ + -, a letter or digit first",
        )
    return value


def _client(value: str) -> str:
    if not names.is_dns_label(value):
        raise wrong(
            f"{value!r} is not a client's name", "use a-z, 0-9 and -, at most 63 characters, as in partner-a"
        )
    return value


Claim = Annotated[str, AfterValidator(_claim)]


class Rate(Strict):
    """How many requests a caller may make in a period of ``per`` seconds."""

    requests: Annotated[int, Field(ge=1, le=MAX_REQUESTS, examples=["requests: 100"])]
    per: Annotated[int, Field(ge=1, le=MAX_PERIOD_S, examples=["per: 10"])]


class TokenSettings(Strict):
    """Which access tokens (JWTs, ES256) the edges let through.

    ``keys_of`` names secrets of the catalog as SERVICE/SECRET; a token counts when one of them signed it.
    """

    keys_of: Annotated[Words, Field(examples=["keys_of: users/jwt_key"])]
    issuer: Annotated[Claim, Field(examples=["issuer: tandem-users"])]
    audience: Annotated[Claim, Field(examples=["audience: tandem-shop"])]


class RateLimits(Strict):
    """What holds for everybody: per client address, and per subject of a token."""

    address: Rate | None = None
    subject: Rate | None = None


class Gateway(Strict):
    """``platform_gateway``: without it, the edges check no tokens and limit nobody."""

    tokens: TokenSettings | None = None
    limits: Annotated[RateLimits, Field(default_factory=RateLimits)]
    clients: Annotated[dict[Annotated[str, AfterValidator(_client)], Rate], Field(default_factory=dict)]


def client_secret(name: str) -> str:
    """Return where the controller keeps an API client's key, below the folder of secrets."""
    return f"{CLIENT_SECRETS}/{name}"
