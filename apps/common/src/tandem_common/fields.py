"""Kinds of input that several services use."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_ID = 2**31 - 1
"""Largest value of PostgreSQL's integer."""
MAX_PAGE = 100_000


class Input(BaseModel):
    """A request's body: exact JSON types ("1" is not 1), no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Query(BaseModel):
    """A request's query parameters: text that is converted; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Output(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


def no_control_characters(text: str) -> str:
    """Refuse what PostgreSQL can't store (NUL) and what has no place in a name (other control characters)."""
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("must not contain control characters")
    return text


Text = Annotated[str, AfterValidator(no_control_characters)]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]


class PageQuery(Query):
    """Which page of a list."""

    page: int = Field(default=1, ge=1, le=MAX_PAGE, description="Counted from 1")
    size: int = Field(default=20, ge=1, le=100, description="Items per page")

    @property
    def offset(self) -> int:
        """Number of items before this page."""
        return (self.page - 1) * self.size


class Money(Output):
    """An amount in the smallest unit of its currency."""

    amount: int = Field(description="In the currency's smallest unit (kopecks, cents)", examples=[129900])
    currency: str = Field(min_length=3, max_length=3, examples=["RUB"])
