# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Password hashes as RabbitMQ stores them, made on the controller: no password reaches a broker's host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

SALT_BYTES = 4  # RabbitMQ takes the first four bytes of what it stores for the salt


def password_hash(password: str, user: str) -> str:
    """Return what RabbitMQ stores of a user's password: base64 of salt and SHA-256(salt + password).

    The salt follows from both, so that the same password gives the same hash in every run. That is sound for long
    random passwords, which the store of secrets makes; it would not be for words that people think up.
    Raises ValueError when the password is empty.
    """
    if not password:
        raise ValueError(f"the password of {user} is empty")
    secret = password.encode()
    salt = hashlib.sha256(b"tandem rabbitmq salt\0" + user.encode() + b"\0" + secret).digest()[:SALT_BYTES]
    return base64.b64encode(salt + hashlib.sha256(salt + secret).digest()).decode("ascii")


def hashed_users(users: Sequence[Mapping[str, Any]], passwords: Sequence[str]) -> list[dict[str, Any]]:
    """Return users (each with `name`) with the hash of the password at the same place, instead of `secret`.

    Raises ValueError.
    """
    if len(users) != len(passwords):
        raise ValueError(f"{len(users)} users and {len(passwords)} passwords")
    return [
        {
            **{key: value for key, value in user.items() if key != "secret"},
            "password_hash": password_hash(password, user["name"]),
        }
        for user, password in zip(users, passwords, strict=True)
    ]
