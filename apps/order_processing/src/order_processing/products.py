"""The products service as order-processing uses it."""

import uuid
from dataclasses import dataclass

from tandem_common.calls import Service
from tandem_common.problems import Unavailable

RETURNED = "urn:tandem:problem:reservation-returned"


class Returned(Exception):
    """The reservation's stock was given back for good."""


@dataclass(frozen=True)
class Products:
    """Calls; all of them may be repeated."""

    service: Service

    def confirm(self, reservation_id: uuid.UUID) -> bool:
        """Make a reservation a sale; False if its stock is gone. Raises Returned."""
        response = self.service.request("POST", f"/internal/reservations/{reservation_id}/confirm")
        if response.status_code not in (200, 404, 409):
            raise Unavailable(f"The service products answered {response.status_code}.")
        if response.status_code == 409 and response.json().get("type") == RETURNED:
            raise Returned
        return response.status_code == 200

    def take_back(self, reservation_id: uuid.UUID) -> None:
        """Give its stock back for good; one that does not exist has none."""
        response = self.service.request("POST", f"/internal/reservations/{reservation_id}/return")
        if response.status_code not in (204, 404):
            raise Unavailable(f"The service products answered {response.status_code}.")
