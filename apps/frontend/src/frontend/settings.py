"""Configuration of the frontend."""

from pydantic import Field
from tandem_common.settings import ServiceSettings

_URL = r"^https?://"


class FrontendSettings(ServiceSettings):
    """What the frontend is told."""

    users_url: str = Field(default="http://127.0.0.2:5000", pattern=_URL)
    products_url: str = Field(default="http://127.0.0.2:5010", pattern=_URL)
    orders_url: str = Field(default="http://127.0.0.2:5020", pattern=_URL)
    audit_url: str = Field(default="http://127.0.0.2:5040", pattern=_URL)
    read_seconds: float = Field(default=4.0, gt=0, le=30)
    """How long a page waits for a service's answer to a read."""
    write_seconds: float = Field(default=12.0, gt=0, le=30)
    """The same for a write: longer than the services' own limits, so that their answer tells the outcome."""
    home_seconds: float = Field(default=2.5, gt=0, le=30)
    """Deadline of /api/home; a part that is not there by then is left out."""
