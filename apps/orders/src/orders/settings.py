"""Configuration of the orders service."""

from pydantic import Field
from tandem_common.settings import DatabaseSettings, TokenSettings


class OrdersSettings(DatabaseSettings, TokenSettings):
    """What the orders service is told."""

    products_url: str = Field(default="http://127.0.0.2:5020", pattern=r"^https?://")
    reservation_seconds: int = Field(default=3600, ge=60, le=86_400)
    """How long stock is held for a checkout: much longer than any client repeats one."""
