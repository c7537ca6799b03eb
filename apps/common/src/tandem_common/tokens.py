"""Access tokens: JWTs signed with ES256. The users service signs; others need only public keys."""

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM = "ES256"
LEEWAY_SECONDS = 5
"""Two hosts' clocks may differ by this much."""
MAX_TOKEN_LENGTH = 4096
ADMIN = "admin"
"""Role of who may see what belongs to everybody."""
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class InvalidToken(Exception):
    """The token does not count; the message says why and may be shown to the client."""


@dataclass(frozen=True)
class Claims:
    """What a verified token says."""

    user_id: uuid.UUID
    token: str
    """The token itself, to hand on to another service."""
    roles: frozenset[str] = frozenset()


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The key as a JWK (RFC 7517), with its RFC 7638 thumbprint as key id."""
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("token keys must be on the curve P-256")
    numbers = key.public_numbers()
    members = {"crv": "P-256", "kty": "EC", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return {**members, "kid": _base64url(hashlib.sha256(canonical).digest()), "use": "sig", "alg": ALGORITHM}


def _coordinate(value: int) -> str:
    return _base64url(value.to_bytes(32, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """Parse a PEM private key; ValueError unless it is an EC key."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the token key must be an EC key")
    return key


def read_public_keys(pem: str) -> list[ec.EllipticCurvePublicKey]:
    """Parse PEM public keys that follow one another; ValueError if there is none or one is not EC."""
    keys = []
    for block in _PEM.findall(pem):
        key = serialization.load_pem_public_key(block.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("token keys must be EC keys")
        keys.append(key)
    if not keys:
        raise ValueError("no PEM public key found")
    return keys


class Issuer:
    """Signs tokens."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, *, issuer: str, audience: str, lifetime_seconds: int
    ) -> None:
        self._key = key
        self._id = public_jwk(key.public_key())["kid"]
        self._issuer = issuer
        self._audience = audience
        self.lifetime_seconds = lifetime_seconds

    def issue(self, user_id: uuid.UUID, roles: Collection[str] = ()) -> str:
        """A token for this user, valid from now. Without roles it has no such claim."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user_id),
            "iat": now,
            "exp": now + self.lifetime_seconds,
            "jti": uuid.uuid4().hex,
            **({"roles": sorted(roles)} if roles else {}),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._id})


class Verifier:
    """Checks tokens against the known public keys."""

    def __init__(self, keys: Iterable[ec.EllipticCurvePublicKey], *, issuer: str, audience: str) -> None:
        self._keys = {public_jwk(key)["kid"]: key for key in keys}
        self._issuer = issuer
        self._audience = audience

    def key_set(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK set."""
        return {"keys": [public_jwk(key) for key in self._keys.values()]}

    def verify(self, token: str) -> Claims:
        """Claims of a token that is ours and still valid; raises InvalidToken."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken("the token is too long")
        try:
            key = self._keys.get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise InvalidToken("the token is signed with an unknown key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
            return Claims(user_id=uuid.UUID(claims["sub"]), token=token, roles=_roles(claims))
        except jwt.ExpiredSignatureError as error:
            raise InvalidToken("the token has expired") from error
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise InvalidToken("the token is not valid") from error


def _roles(claims: Mapping[str, Any]) -> frozenset[str]:
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise InvalidToken("the token is not valid")
    return frozenset(roles)
