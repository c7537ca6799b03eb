"""The samples that consumers' tests are made of."""

import uuid
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from support import schemas
from tandem_common.events import EventData


class Item(BaseModel):
    """Part of one."""

    product_id: int = Field(ge=1, le=2**31 - 1)
    name: str = Field(min_length=1, max_length=20)


class ThingPacked(EventData):
    """All that events are made of."""

    type: ClassVar[str] = "thing.packed"
    version: ClassVar[int] = 3

    id: uuid.UUID
    at: datetime
    items: Annotated[list[Item], Field(min_length=1)]
    kind: Literal["a", "b"]
    always: Literal["x"] = "x"
    note: str | None = None
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    weight: float = Field(ge=0)
    quantity: int = Field(gt=0)
    labels: dict[str, bool] = Field(default_factory=dict)


@given(st.data())
def test_samples_fit_their_model(data):
    schema = ThingPacked.model_json_schema(mode="serialization")
    sample = data.draw(schemas.sample(schema, schema["$defs"]))
    ThingPacked.model_validate(sample)


def test_the_kept_schema(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "APPS", tmp_path)
    (tmp_path / "things").mkdir()
    monkeypatch.setenv("UPDATE_OPENAPI", "1")
    schemas.compare_schema("things", ThingPacked)
    monkeypatch.delenv("UPDATE_OPENAPI")
    schemas.compare_schema("things", ThingPacked)
    assert (tmp_path / "things/events/thing.packed.3.json").exists()
    schemas.samples("things", "thing.packed", 3)

    class Other(ThingPacked):
        more: int

    with pytest.raises(AssertionError, match="make -C apps openapi"):
        schemas.compare_schema("things", Other)


def test_an_unknown_keyword_is_not_passed_over():
    with pytest.raises(KeyError):
        schemas.sample({"type": "integer", "multipleOf": 2}, {})
