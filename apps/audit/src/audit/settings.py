"""Configuration of the audit service."""

from tandem_common.settings import DatabaseSettings, TokenSettings


class AuditSettings(DatabaseSettings, TokenSettings):
    """What the audit service is told."""
