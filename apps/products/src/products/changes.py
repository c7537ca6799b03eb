"""Changes to a product by the shop's owner."""

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from sqlalchemy import select
from sqlalchemy.orm import Session
from tandem_common.database import Database, make_durable
from tandem_common.fields import MAX_ID, no_control_characters
from tandem_common.problems import Conflict, FieldError, InvalidInput, NotFound, OutcomeUnknown

from products.events import publish_changed
from products.models import Product

MAX_PRICE = 10**12


def _signed(text: str) -> str:
    """Refuse a number without a sign: it might be meant as the new stock."""
    if not text.startswith(("+", "-")):
        raise ValueError("needs a sign: +5 adds five pieces to the stock, -5 takes five out")
    return text


def _line(longest: int) -> Any:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


class Change(BaseModel):
    """What is to be changed; the rest stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    price: int | None = Field(default=None, ge=0, le=MAX_PRICE)
    name: Annotated[str, _line(200), AfterValidator(no_control_characters)] | None = None
    description: Annotated[str, _line(2000), AfterValidator(no_control_characters)] | None = None
    category: str | None = None
    picture: str | None = None
    stock: Annotated[int, BeforeValidator(_signed), Field(ge=-MAX_ID, le=MAX_ID)] | None = None
    """Pieces to add."""

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """From the command line; raises InvalidInput."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise InvalidInput(
                [FieldError(field=str(wrong["loc"][0]), reason=wrong["msg"]) for wrong in error.errors()]
            ) from error


def apply(database: Database, sku: str, change: Change) -> Product:
    """Change the product; what it is afterwards (or is, if there is nothing to change).

    Raises NotFound, and Conflict if the stock would become negative or larger than its column.
    """
    try:
        return database.transaction(lambda session: _apply(session, sku, change))
    except OutcomeUnknown as error:
        # Unlike requests this must not simply be repeated: an addition to the stock would count twice.
        raise OutcomeUnknown(
            f"The change may or may not have happened: look with `products set {sku}`."
        ) from error


def _apply(session: Session, sku: str, change: Change) -> Product:
    product = session.scalars(select(Product).where(Product.sku == sku).with_for_update()).one_or_none()
    if product is None:
        raise NotFound(f"There is no product {sku}.")
    available = product.available + (change.stock or 0)
    if not 0 <= available <= MAX_ID:
        raise Conflict("stock", "Impossible stock", f"{product.available} available, {available} would be.")
    product.available = available
    if change.price is not None:
        product.amount = change.price
    for name, value in change.model_dump(exclude_none=True, exclude={"price", "stock"}).items():
        setattr(product, name, value)
    if change.model_fields_set:
        session.flush()
        publish_changed(session, product)
    make_durable(session)  # what it shows may have been changed a moment ago
    return product
