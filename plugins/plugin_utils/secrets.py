# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets of one environment: one file each, made once, in a folder on the controller.

The folder is private (0700), so are the files (0600). Values are never logged and appear in no message.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

KINDS = ("random", "ec-p256")
RANDOM_LENGTH = 32
# 32 characters out of 62: about 190 bits, with nothing that a shell, a DSN or a URL would have to quote.
RANDOM_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]*")
LOCK = ".lock"


class SecretError(Exception):
    """A secret can't be made or read; the message names its path and the cure, never its value."""


@dataclass(frozen=True)
class Store:
    """A folder of secrets.

    `encrypt` turns a secret's bytes into what is stored (it may return them as they are); `decrypt` gets
    a file's path and returns its plain bytes.
    """

    directory: Path
    encrypt: Callable[[bytes], bytes]
    decrypt: Callable[[Path], bytes]

    def get(self, name: str, kind: str = "random") -> str:
        """Return the secret of this name, such as "postgres/users"; make it if there is none yet.

        Safe when several processes ask for the same new secret at once: all get the same value.
        Raises `SecretError`.
        """
        path = self._path(name)
        if kind not in KINDS:
            raise SecretError(f"secret {name}: kind must be one of {', '.join(KINDS)}, not '{kind}'")
        try:
            if not path.exists():
                self._make(path, kind)
            value = self.decrypt(path).decode()
        except OSError as error:
            raise SecretError(f"secret {name}: {error.strerror} ({path})") from None
        if not value.strip():
            raise SecretError(f"secret {name}: {path} is empty. Next: remove it to have a new one made.")
        return value if kind != "random" else value.strip()

    def find(self, name: str) -> str | None:
        """Return a secret, or None if there is none; makes nothing. Raises `SecretError`."""
        path = self._path(name)
        try:
            return self.decrypt(path).decode() if path.exists() else None
        except OSError as error:
            raise SecretError(f"secret {name}: {error.strerror} ({path})") from None

    def changed_at(self, name: str) -> float | None:
        """Return when a secret was written, in seconds of time.time(); None if there is none."""
        path = self._path(name)
        return path.stat().st_mtime if path.exists() else None

    def put(self, name: str, value: str) -> None:
        """Give a secret this value, in one step."""
        path = self._path(name)
        make_private_directories(path.parent)
        with locked(self.directory):
            write_private(path, self.encrypt(value.encode()))

    def rename(self, name: str, new: str) -> None:
        """Put a secret in the place of another one, in one step."""
        with locked(self.directory):
            self._path(name).replace(self._path(new))

    def remove(self, name: str) -> bool:
        """Remove a secret; tell whether there was one."""
        path = self._path(name)
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if not all(PART.fullmatch(part) for part in parts):
            raise SecretError(
                f"secret '{name}': a name consists of letters, digits, '_', '.', '@' and '-', in parts "
                "separated by '/'"
            )
        return self.directory.joinpath(*parts)

    def _make(self, path: Path, kind: str) -> None:
        make_private_directories(path.parent)
        with locked(self.directory):
            if path.exists():  # another process was faster
                return
            value = generate(kind)
            write_private(path, self.encrypt(value.encode()))


def generate(kind: str) -> str:
    """Return a new secret: RANDOM_LENGTH letters and digits, or a P-256 private key as PEM (PKCS#8)."""
    if kind == "ec-p256":
        return (
            ec.generate_private_key(ec.SECP256R1())
            .private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            .decode()
        )
    return "".join(secrets.choice(RANDOM_ALPHABET) for _ in range(RANDOM_LENGTH))


def public_key(name: str, private_pem: str) -> str:
    """Return the public half of a private key, as PEM. Raises `SecretError`."""
    try:
        key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    except (ValueError, TypeError):
        raise SecretError(f"secret {name} is not a private key in PEM form") from None
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def make_private_directories(path: Path) -> None:
    """Make a directory and its missing parents, readable by the owner alone."""
    missing = [directory for directory in [path, *path.parents] if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes that write to this store waiting."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in one step: others see nothing or all of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
