"""Password hashes: Argon2id with bounded memory, and the same work whether or not the account exists."""

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from tandem_common.limits import Limiter

from users.settings import UsersSettings


class Passwords:
    """Hashes and checks passwords, a few at a time."""

    def __init__(self, settings: UsersSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_passes, memory_cost=settings.password_memory_kib, parallelism=1
        )
        self._limiter = Limiter(settings.password_threads)
        self._dummy = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """The encoded hash, with its parameters and salt."""
        with self._limiter.permit("logins"):
            return self._hasher.hash(_canonical(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Whether the password belongs to the hash; None (no such account) costs the same and is False."""
        with self._limiter.permit("logins"):
            try:
                right = self._hasher.verify(stored or self._dummy, _canonical(password))
            except (VerificationError, InvalidHashError):
                return False
        return right and stored is not None


def _canonical(password: str) -> bytes:
    """One form for what two keyboards type as the same characters (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8")
