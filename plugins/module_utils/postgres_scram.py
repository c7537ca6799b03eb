# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""SCRAM-SHA-256 verifiers as PostgreSQL stores them, so that a password neither travels nor is set without need."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

ITERATIONS = 4096  # PostgreSQL's default (scram_iterations)
SALT_BYTES = 16

# Source: RFC 5803 and src/backend/libpq/auth-scram.c: SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def make_verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """Verifier of a password.

    Only ASCII passwords are accepted (ValueError otherwise): for those SASLprep changes nothing, so the client's and
    our idea of the password are the same.
    """
    if not password.isascii() or not password:
        raise ValueError("a password must be plain ASCII and not empty")
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(x).decode() for x in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def matches(verifier: str | None, password: str) -> bool:
    """Whether a stored verifier (``pg_authid.rolpassword``) belongs to the password; false for none or another kind."""
    found = VERIFIER.fullmatch(verifier or "")
    if not found:
        return False
    again = make_verifier(password, base64.b64decode(found[2]), int(found[1]))
    return hmac.compare_digest(again, found[0])
