"""The products service as orders uses it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from tandem_common.calls import Service
from tandem_common.fields import Money
from tandem_common.problems import Conflict, FieldError, InvalidInput, Unavailable


class ReservedItem(BaseModel):
    """A product that is set aside, with its name and price."""

    product_id: int
    quantity: int
    name: str
    price: Money


class Reservation(BaseModel):
    """Stock that is set aside."""

    id: uuid.UUID
    items: list[ReservedItem]


@dataclass(frozen=True)
class Products:
    """Calls; all of them may be repeated."""

    service: Service

    def exists(self, product_id: int, token: str) -> bool:
        """Whether there is such a product."""
        return self.service.request("GET", f"/products/{product_id}", token=token).status_code == 200

    def hold(
        self, reservation_id: uuid.UUID, wanted: Mapping[int, int], seconds: int, token: str
    ) -> Reservation:
        """Set stock aside; raises Conflict (not enough) and InvalidInput (a product is gone)."""
        items = [
            {"product_id": product, "quantity": quantity} for product, quantity in sorted(wanted.items())
        ]
        body = {"items": items, "expires_in": seconds}
        response = self.service.request("PUT", _path(reservation_id), body=body, token=token)
        return _read(response.status_code, response.content)

    def release(self, reservation_id: uuid.UUID, token: str) -> None:
        """Give it back."""
        self.service.request("DELETE", _path(reservation_id), token=token)


def _path(reservation_id: uuid.UUID) -> str:
    return f"/internal/reservations/{reservation_id}"


class _Refusal(BaseModel):
    """The parts of a problem document that are passed on."""

    type: str = ""
    title: str = "Refused"
    detail: str | None = None
    errors: list[FieldError] = []
    product_id: int | None = None
    wanted: int | None = None
    available: int | None = None


def _read(status: int, content: bytes) -> Reservation:
    try:
        if status == 200:
            return Reservation.model_validate_json(content)
        refusal = _Refusal.model_validate_json(content)
    except ValidationError as error:
        raise Unavailable("The service products gave an unexpected answer.") from error
    if status == 409:
        extra: dict[str, Any] = refusal.model_dump(
            include={"product_id", "wanted", "available"}, exclude_none=True
        )
        name = refusal.type.rpartition(":")[2] or "conflict"
        raise Conflict(name, refusal.title, refusal.detail, errors=refusal.errors, extra=extra)
    if status == 422:
        raise InvalidInput(refusal.errors)
    raise Unavailable("The service products gave an unexpected answer.")
