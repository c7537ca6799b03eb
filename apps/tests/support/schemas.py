"""The schemas of events that producers keep beside their code (events/<type>.<version>.json), and samples of them."""

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel
from tandem_common.events import EventData

APPS = Path(__file__).parents[2]
TEXT = st.characters(exclude_categories=["Cs", "Cc"])


def check_kept(app: str, *events: type[EventData]) -> None:
    """Compare the events' schemas with the kept ones; UPDATE_OPENAPI=1 rewrites those."""
    folder = APPS / app / "events"
    present = {
        f"{event.type}.{event.version}.json": event.model_json_schema(mode="serialization")
        for event in events
    }
    if os.environ.get("UPDATE_OPENAPI"):
        folder.mkdir(exist_ok=True)
        for name, schema in present.items():
            (folder / name).write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n")
    kept = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    # A version that is no longer sent stays: messages of it may still be in a queue.
    assert {name: kept.get(name) for name in present} == present, "run: make -C apps openapi"


def samples(app: str, event: str, version: int = 1) -> st.SearchStrategy[Any]:
    """Data of an event, as its producer's kept schema allows it."""
    schema = json.loads((APPS / app / "events" / f"{event}.{version}.json").read_text())
    return _values(schema, schema.get("$defs", {}))


def reads(model: type[BaseModel], data: Any) -> BaseModel:
    """The data as a consumer reads it; fields that only later versions have don't matter."""
    return model.model_validate({**data, "of_a_later_release": {"x": [1]}})


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Of the part of JSON Schema that pydantic writes for events."""
    if "$ref" in schema:
        return _values(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of([_values(one, definitions) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    kind = schema["type"]
    if kind == "object":
        return _objects(schema, definitions)
    if kind == "array":
        items = _values(schema["items"], definitions)
        return st.lists(items, min_size=schema.get("minItems", 0), max_size=3)
    if kind == "string":
        return _texts(schema)
    numbers = st.integers(schema.get("minimum", -(2**62)), schema.get("maximum", 2**62))
    return {"integer": numbers, "boolean": st.booleans(), "null": st.none()}[kind]


def _objects(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: _values(one, definitions) for name, one in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
    least = schema.get("minLength", 0)
    return st.text(TEXT, min_size=least, max_size=schema.get("maxLength", least + 20))
