"""Configuration of the users service."""

from pydantic import Field, SecretStr
from tandem_common.settings import DatabaseSettings, TokenSettings


class UsersSettings(DatabaseSettings, TokenSettings):
    """What the users service is told."""

    jwt_key: SecretStr
    """PEM private key (P-256) that signs access tokens."""
    token_lifetime_seconds: int = Field(default=300, ge=30, le=86_400)
    refresh_lifetime_seconds: int = Field(default=30 * 86_400, ge=60, le=366 * 86_400)
    """A refresh token that is not used for so long means another login."""
    refresh_grace_seconds: int = Field(default=30, ge=1, le=600)
    """For so long after its first use a refresh token counts on: two tabs may use it at once."""
    login_failure_seconds: float = Field(default=5.0, gt=0, le=60)
    """For so long failed logins are gathered into one event per account."""
    # OWASP password storage cheat sheet: Argon2id with 19 MiB, two passes, one lane.
    password_memory_kib: int = Field(default=19 * 1024, ge=8, le=256 * 1024)
    password_passes: int = Field(default=2, ge=1, le=20)
    password_threads: int = Field(default=2, ge=1, le=16)
    """Passwords hashed at once; bounds the memory (this many times password_memory_kib)."""
