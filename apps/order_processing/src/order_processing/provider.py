"""The payment provider. Every request has a key, so that asking again never pays twice."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import requests
from pydantic import BaseModel, ValidationError
from tandem_common.problems import Unavailable

CONNECT_SECONDS = 2.0
Model = TypeVar("Model", bound=BaseModel)


class PaymentAnswer(BaseModel):
    """What became of a payment."""

    id: str
    order_id: str
    status: Literal["accepted", "refused"]
    reason: str | None = None


class RefundAnswer(BaseModel):
    """A payment that was given back."""

    id: str
    payment_id: str


@dataclass(frozen=True)
class Provider:
    """Calls; each may be repeated, and has to be after Unavailable."""

    url: str
    seconds: float

    def pay(self, order_id: uuid.UUID, amount: int, currency: str) -> PaymentAnswer:
        """The order's one payment, made now or before; Unavailable while nobody can say what became of it."""
        body = {"order_id": str(order_id), "amount": amount, "currency": currency}
        answer = self._ask("/payments", str(order_id), body, PaymentAnswer)
        if answer.order_id != str(order_id):
            raise Unavailable("The payment provider answered about another order.")
        return answer

    def refund(self, order_id: uuid.UUID, payment_id: str) -> RefundAnswer:
        """The order's one refund."""
        answer = self._ask("/refunds", f"refund-{order_id}", {"payment_id": payment_id}, RefundAnswer)
        if answer.payment_id != payment_id:
            raise Unavailable("The payment provider answered about another payment.")
        return answer

    def _ask(self, path: str, key: str, body: Mapping[str, Any], model: type[Model]) -> Model:
        # A connection per request: what a provider sends twice must not be taken for the next payment's answer.
        headers = {"Idempotency-Key": key, "Connection": "close"}
        with requests.Session() as session:
            session.trust_env = False
            try:
                response = session.post(
                    self.url.rstrip("/") + path,
                    json=body,
                    headers=headers,
                    timeout=(CONNECT_SECONDS, self.seconds),
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise Unavailable(
                    f"The payment provider does not answer ({type(error).__name__})."
                ) from error
        if response.status_code not in (200, 201):
            raise Unavailable(f"The payment provider answered {response.status_code}.")
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise Unavailable("The payment provider gave an unexpected answer.") from error
