# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The id of a key that signs tokens: its RFC 7638 thumbprint, as the service that signs computes it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

_PUBLIC_KEY = re.compile(r"-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n")


def key_id(public_pem: str) -> str:
    """Return the RFC 7638 thumbprint of a P-256 public key in PEM form: 43 characters of base64url.

    Raises ValueError, without the key, for anything else.
    """
    try:
        key = serialization.load_pem_public_key(public_pem.encode())
    except ValueError:
        raise ValueError("not a public key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("keys of tokens must be on the curve P-256 (kind: ec-p256)")
    numbers = key.public_numbers()
    members = {"crv": "P-256", "kty": "EC", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return _base64url(hashlib.sha256(canonical).digest())


def public_keys(pem: str) -> list[str]:
    """Return the public keys of a text in which they follow one another, each as a text of its own.

    Raises ValueError if there is none, or anything else beside them.
    """
    found: list[str] = _PUBLIC_KEY.findall(pem)
    if not found or _PUBLIC_KEY.sub("", pem).strip():
        raise ValueError("not public keys in PEM form")
    return found


def _coordinate(value: int) -> str:
    return _base64url(value.to_bytes(32, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
