"""Configuration of order-processing."""

from pydantic import Field
from tandem_common.settings import DatabaseSettings

_URL = r"^https?://"


class ProcessingSettings(DatabaseSettings):
    """What order-processing is told."""

    products_url: str = Field(default="http://127.0.0.2:5010", pattern=_URL)
    payment_url: str = Field(pattern=_URL)
    """Of the payment provider."""
    payment_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long its answer is waited for; after that its outcome is unknown, and it is asked again with the same key."""
