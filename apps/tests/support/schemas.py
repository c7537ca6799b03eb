"""JSON Schemas of events: kept beside their producers, and sampled for their consumers."""

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tandem_common.events import EventData

APPS = Path(__file__).parents[2]
_IGNORED = {"title", "description", "default", "examples"}


def kept(app: str, event_type: str, version: int) -> Path:
    """The file that says what an event's data looks like."""
    return APPS / app / "events" / f"{event_type}.{version}.json"


def compare_schema(app: str, data: type[EventData]) -> None:
    """Compare a producer's model with the kept schema; UPDATE_OPENAPI=1 rewrites that."""
    schema = data.model_json_schema(mode="serialization")
    file = kept(app, data.type, data.version)
    if os.environ.get("UPDATE_OPENAPI"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n")
    assert json.loads(file.read_text()) == schema, "run: make -C apps openapi"


def samples(app: str, event_type: str, version: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    """Data of events as their producer may send them, for the tests of a consumer's model."""
    schema = json.loads(kept(app, event_type, version).read_text())
    return sample(schema, schema.get("$defs", {}))


def sample(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema made by pydantic; KeyError for a keyword that is not known here."""
    rest = {name: value for name, value in schema.items() if name not in {*_IGNORED, "$defs"}}
    if "$ref" in rest:
        return sample(definitions[rest["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in rest:
        return st.one_of([sample(one, definitions) for one in rest["anyOf"]])
    if "const" in rest:
        return st.just(rest["const"])
    if "enum" in rest:
        return st.sampled_from(rest["enum"])
    kind = rest.pop("type")
    if kind == "object":
        return _object(rest, definitions)
    if kind == "array":
        items = sample(rest.pop("items"), definitions)
        return st.lists(items, **_renamed(rest, minItems="min_size", maxItems="max_size"))
    simple = {"string": _string, "integer": _integer, "number": _number}
    if kind in simple:
        return simple[kind](rest)
    return {"boolean": st.booleans(), "null": st.none()}[kind]


def _object(rest: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    values = rest.pop("additionalProperties", False)
    if "properties" not in rest:
        return st.dictionaries(st.text(max_size=5), sample(values, definitions), max_size=3)
    fields = {name: sample(one, definitions) for name, one in rest["properties"].items()}
    required = set(rest.get("required", []))
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in required},
        optional={name: values for name, values in fields.items() if name not in required},
    )


def _string(rest: dict[str, Any]) -> st.SearchStrategy[str]:
    formats = {
        "uuid": st.uuids().map(str),
        "date-time": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        "email": st.emails(),
    }
    if "format" in rest:
        return formats[rest["format"]]
    if "pattern" in rest:
        return st.from_regex(rest["pattern"], fullmatch=True)
    return st.text(st.characters(codec="utf-8"), **_renamed(rest, minLength="min_size", maxLength="max_size"))


def _integer(rest: dict[str, Any]) -> st.SearchStrategy[int]:
    limits = _renamed(
        rest,
        minimum="min_value",
        maximum="max_value",
        exclusiveMinimum="above",
        exclusiveMaximum="below",
    )
    least = limits.get("min_value", limits["above"] + 1 if "above" in limits else None)
    most = limits.get("max_value", limits["below"] - 1 if "below" in limits else None)
    return st.integers(least, most)


def _number(rest: dict[str, Any]) -> st.SearchStrategy[float]:
    limits = _renamed(rest, minimum="min_value", maximum="max_value")
    return st.floats(allow_nan=False, allow_infinity=False, **limits)


def _renamed(rest: dict[str, Any], **names: str) -> dict[str, Any]:
    """hypothesis's words for a schema's."""
    return {names[name]: value for name, value in rest.items()}
