"""Configuration of notifications."""

from pathlib import Path

from pydantic import Field
from tandem_common.settings import DatabaseSettings


class MailSettings(DatabaseSettings):
    """What notifications is told."""

    smtp_host: str = Field(min_length=1)
    smtp_port: int = Field(default=25, ge=1, le=65_535)
    smtp_from: str = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    """Sender of all messages; its domain is also that of their Message-IDs."""
    smtp_starttls: bool = False
    """Encrypt, and check the server's certificate; a server that does not offer it gets nothing."""
    smtp_ca: Path | None = None
    """Authorities for that. Default: those of the system."""
    smtp_seconds: float = Field(default=10.0, gt=0, le=120)
    digest_to: str | None = Field(default=None, pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    """Who gets the daily digest."""
    digest_language: str = Field(default="en", pattern=r"^(en|ru)$")

    @property
    def message_domain(self) -> str:
        """Right-hand side of Message-IDs."""
        return self.smtp_from.rpartition("@")[2]
