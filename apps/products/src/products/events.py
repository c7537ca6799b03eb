"""What products tells others, in its outbox, and how each site's copies follow."""

from typing import Any, ClassVar

import structlog
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from tandem_common.cache import Store
from tandem_common.events import Event, EventData, Handler, Handlers, publish
from tandem_common.settings import BrokerSettings

from products.models import Product
from products.readmodel import Copies
from products.settings import ProductsSettings

log = structlog.get_logger(__name__)


class ProductChanged(EventData):
    """The shop's owner added or changed a product. Sales change the stock without it."""

    type: ClassVar[str] = "product.changed"
    version: ClassVar[int] = 1

    product_id: int
    sku: str
    name: str
    category: str
    amount: int = Field(ge=0, description="Price of one, in the currency's smallest unit")
    currency: str = Field(min_length=3, max_length=3)


def publish_changed(session: Session, product: Product) -> None:
    """Tell it with this transaction, in which the product's row is changed or locked."""
    data = ProductChanged(
        product_id=product.id,
        sku=product.sku,
        name=product.name,
        category=product.category,
        amount=product.amount,
        currency=product.currency,
    )
    publish(session, data, subject=str(product.id))


class Told(BaseModel):
    """All that the copies need to know."""

    product_id: int


def handlers(_settings: BrokerSettings) -> Handlers:
    """Each site has a consumer of its own, which tells the Valkey of its site."""
    settings = ProductsSettings.load()
    return of_copies(Copies.of(Store(settings, CollectorRegistry()), settings.catalogue_seconds))


def of_copies(copies: Copies) -> Handlers:
    """The handlers that keep these copies fresh."""

    def forget(event: Event, data: Told) -> None:
        if not copies.forget():
            # Not tried again: copies end within seconds, before a retry would help.
            log.warning("copies not forgotten", product_id=data.product_id, event_id=str(event.id))

    return {ProductChanged.type: Handler(Told, _nothing, forget)}


def _nothing(_session: Session, _event: Event, _data: Any, _prepared: Any) -> None:
    """The database has the change already."""
