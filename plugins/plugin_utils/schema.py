# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The base of every model of user data, and pydantic's errors translated into problems with a cure."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from .problems import Problem, did_you_mean, listing, shown

Location = tuple[str | int, ...]
Entry = TypeVar("Entry", bound="Strict")


class Strict(BaseModel):
    """User data: no unknown keys, no silent conversion between types, not changed after it was read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def wrong(what: str, cure: str) -> PydanticCustomError:
    """Return the error that a validator raises: what is wrong with the value, and the cure."""
    return PydanticCustomError("tandem", "{what}", {"what": what, "cure": cure})


def as_list(value: Any) -> Any:
    """Take one word for a list of one word, as a compose file does."""
    return [value] if isinstance(value, str) else value


Words = Annotated[list[str], BeforeValidator(as_list)]

# Error types of pydantic whose message becomes (what, cure).
TYPES = {
    "string_type": ("is not text", "write text; quote it when YAML reads it as something else"),
    "int_type": ("is not a whole number", "write a whole number without quotes"),
    "int_from_float": ("is not a whole number", "write a whole number"),
    "bool_type": ("is not true or false", "write true or false without quotes"),
    "list_type": ("is not a list", "write a list, as in [a, b]"),
    "dict_type": ("is not a mapping", "write a mapping of keys and values"),
    "model_type": ("is not a mapping", "write a mapping of keys and values"),
    "model_attributes_type": ("is not a mapping", "write a mapping of keys and values"),
}


def read(
    model: type[Entry], data: Any, where: str, separator: str = "."
) -> tuple[Entry | None, list[tuple[Location, Problem]]]:
    """Read user data into a model.

    Returns the model, or None when anything is wrong, and the problems with their locations below ``where``.
    ``separator`` stands between ``where`` and the first key (``services.users`` + ``.`` + ``port``).
    """
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [
            (detail["loc"], _problem(model, detail, where, separator))
            for detail in error.errors(include_url=False)
        ]


def key_of(where: str, location: Location, separator: str = ".") -> str:
    """Return the key as a person writes it: ``services.users.secrets[1].kind``."""
    text = where
    for number, part in enumerate(location):
        if part == "[key]":
            continue
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += (separator if number == 0 else ".") + part
    return text


def _problem(model: type[BaseModel], detail: ErrorDetails, where: str, separator: str) -> Problem:
    location, kind = detail["loc"], detail["type"]
    key = key_of(where, location, separator)
    if kind == "tandem":
        return Problem(key, detail["ctx"]["what"], detail["ctx"]["cure"])
    if kind == "missing":
        return Problem(key, "is missing", _how_to_add(model, location))
    if kind == "extra_forbidden":
        prefix = "" if separator == "." or len(location) > 1 else where + separator
        known = [prefix + name for name in keys_at(model, location[:-1])]
        word = prefix + str(location[-1])
        return Problem(
            key, "is an unknown key", did_you_mean(word, known, f"remove it; known here: {listing(known)}")
        )
    value = shown(detail["input"])
    if kind in TYPES:
        what, cure = TYPES[kind]
        return Problem(key, f"{value} {what}", cure)
    if kind == "literal_error":
        return Problem(key, f"{value} is not known", f"write one of {detail['ctx']['expected']}")
    message = detail["msg"]
    return Problem(key, f"{value} is refused", message[0].lower() + message[1:])


def _how_to_add(model: type[BaseModel], location: Location) -> str:
    """Return the cure for a missing key, with the example that its field gives."""
    parent = model_at(model, location[:-1])
    field = parent.model_fields.get(str(location[-1])) if parent else None
    return f"add it, as in {field.examples[0]}" if field and field.examples else "add it"


def keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that are known at a location below a model."""
    here = model_at(model, location)
    return list(here.model_fields) if here else []


def model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """Return the model at a location below a model, None when there is none."""
    here: type[BaseModel] | None = model
    for part in location:
        if here is None:
            return None
        # A list's number or a mapping's own key leads from the list or mapping to its items: the same model.
        if str(part) in here.model_fields:
            here = _model_in(here.model_fields[str(part)].annotation)
    return here


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as ``dict[str, Model]`` or ``list[Model] | None``."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for item in get_args(annotation) if (found := _model_in(item))), None)
