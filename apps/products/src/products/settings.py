"""What the products service is told."""

from pydantic import Field
from tandem_common.settings import CacheSettings, DatabaseSettings


class ProductsSettings(DatabaseSettings, CacheSettings):
    """Its database, and Valkey for copies of the catalogue."""

    catalogue_seconds: float = Field(default=5.0, ge=0.1, le=60)
    """How old a copy may get. Prices and names follow events; the number of pieces has only this."""
