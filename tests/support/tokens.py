"""Access tokens as the users service issues them, and as somebody would forge them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

ISSUER, AUDIENCE = "tandem-users", "tandem-shop"
SUBJECT = "0b9f2a5e-58ce-4a07-a2f0-35a4b5a1c2d3"


def b64(data: bytes) -> str:
    """Return data as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: dict[str, Any]) -> str:
    """Return a token's header or claims as they are signed; members that are None are left out."""
    return b64(json.dumps({key: item for key, item in value.items() if item is not None}).encode())


class Key:
    """A key that signs tokens."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self.private = private

    @classmethod
    def read(cls, path: Path) -> Key:
        """Return the key of a file in a folder of secrets."""
        return cls.of(path.read_bytes())

    @classmethod
    def of(cls, pem: bytes) -> Key:
        """Return the key that is written there."""
        key = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(key)

    @property
    def public_pem(self) -> bytes:
        """The public half, as it lies on the host."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def id(self) -> str:
        """The RFC 7638 thumbprint."""
        numbers = self.private.public_key().public_numbers()
        x, y = (b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        document = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
        return b64(hashlib.sha256(document.encode()).digest())

    def header(self, **changes: Any) -> str:
        """Return the header of a token of this key."""
        return part({"alg": "ES256", "typ": "JWT", "kid": self.id, **changes})

    def sign(self, text: str) -> str:
        """Return the signature of header and claims."""
        r, s = utils.decode_dss_signature(self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a good token, but for the members of its header and its claims that are given."""
        text = f"{self.header(**(header or {}))}.{claims_of(**claims)}"
        return f"{text}.{self.sign(text)}"


def claims_of(**changes: Any) -> str:
    """Return good claims, but for the ones that are given."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": SUBJECT,
        "iat": now,
        "exp": now + 300,
    }
    return part(good | changes)


def mac(text: str, secret: bytes) -> str:
    """Return an HMAC with SHA-256, as HS256 signs."""
    return b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())
