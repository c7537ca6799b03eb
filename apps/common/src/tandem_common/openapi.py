"""The OpenAPI 3.1 document of a service, from its declared operations."""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tandem_common.api import JSON, Api, Header, Operation
from tandem_common.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
_KINDS: dict[str | None, dict[str, Any]] = {
    "int": {"type": "integer", "minimum": 0},
    "uuid": {"type": "string", "format": "uuid"},
    None: {"type": "string"},
}

CACHE_HEADERS = {
    "Cache-Control": {"schema": {"type": "string"}, "description": "May be kept by a shared cache"},
    "ETag": {"schema": {"type": "string"}, "description": "For If-None-Match"},
}


def document(api: Api, version: str) -> dict[str, Any]:
    """The whole document; hidden operations are left out."""
    shown = [operation for operation in api.operations if not operation.hidden]
    paths: dict[str, dict[str, Any]] = {}
    for operation in shown:
        path = _PARAMETER.sub(lambda match: f"{{{match['name']}}}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": version, "description": api.description},
        "paths": paths,
        "components": {
            "schemas": _schemas(shown),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    models: list[tuple[type[BaseModel], Any]] = [(Problem, "serialization")]
    for operation in operations:
        if operation.body:
            models.append((operation.body, "validation"))
        models += [(model, "serialization") for model in operation.answers.values() if model]
    _, definitions = models_json_schema(list(dict.fromkeys(models)), ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.handler.__doc__:
        described["description"] = " ".join(operation.handler.__doc__.split())
    if operation.body:
        content = {JSON: {"schema": _reference(operation.body)}}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    if operation.token:
        described["security"] = [{"token": []}]
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.answers.items():
        content = {"content": {JSON: {"schema": _reference(model)}}} if model else {}
        responses[str(status)] = {"description": "Success", **content}
        if operation.cacheable:
            responses[str(status)]["headers"] = CACHE_HEADERS
            responses["304"] = {
                "description": "What If-None-Match names is current",
                "headers": CACHE_HEADERS,
            }
    problem = {"description": "Problem", "content": {MEDIA_TYPE: {"schema": _reference(Problem)}}}
    return {**responses, **{str(status): problem for status in sorted(_problem_statuses(operation))}}


def _problem_statuses(operation: Operation) -> set[int]:
    statuses = {*operation.problems, 503}
    if operation.body:
        statuses |= {400, 413, 415, 422}
    if operation.query:
        statuses |= {422}
    if operation.header:
        statuses |= {400}
    if operation.token:
        statuses |= {401}
    if operation.role:
        statuses |= {403}
    return statuses


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {"name": match["name"], "in": "path", "required": True, "schema": _KINDS[match["kind"]]}
        for match in _PARAMETER.finditer(operation.path)
    ]
    if operation.query:
        schema = operation.query.model_json_schema(ref_template=REF)
        found += [
            {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": property_}
            for name, property_ in schema["properties"].items()
        ]
    if operation.header:
        found.append(_header(operation.header))
    return found


def _header(header: Header) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": header.max_length}
    return {
        "name": header.name,
        "in": "header",
        "required": header.required,
        "description": header.description,
        "schema": schema,
    }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}
