"""One OpenAPI document for the whole shop, merged from those of the services."""

import copy
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from tandem_common.calls import Service
from tandem_common.problems import Unavailable

from frontend.services import Pool

log = structlog.get_logger(__name__)
Document = dict[str, Any]
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
FRESH_SECONDS = 60.0
RETRY_SECONDS = 5.0
"""After a failure the last good copy counts for so long before the service is asked again."""


def merge(documents: Mapping[str, Document], info: Document) -> Document:
    """One document from those of several services, by service name.

    Components of the same name stay one if they mean the same; otherwise each gets its service's name before its
    own. Operations get their service as tag, and as the beginning of their id.
    """
    merged: Document = {"openapi": "3.1.0", "info": info, "tags": [], "paths": {}, "components": {}}
    clashes = _clashes(documents)
    for service, original in documents.items():
        document = _renamed(copy.deepcopy(original), service, clashes)
        about = document.get("info", {})
        merged["tags"].append({"name": service, "description": about.get("description", "")})
        for path, item in document.get("paths", {}).items():
            for method in METHODS & item.keys():
                item[method]["tags"] = [service]
                item[method]["operationId"] = f"{service}_{item[method].get('operationId', method)}"
            merged["paths"].setdefault(path, {}).update(item)
        for kind, components in document.get("components", {}).items():
            merged["components"].setdefault(kind, {}).update(components)
    return merged


def _clashes(documents: Mapping[str, Document]) -> set[tuple[str, str]]:
    """Kinds and names of components that mean different things in different documents."""
    meanings: dict[tuple[str, str], list[Any]] = {}
    for document in documents.values():
        for kind, components in document.get("components", {}).items():
            for name, component in components.items():
                meanings.setdefault((kind, name), []).append(component)
    shared = {key: found for key, found in meanings.items() if len(found) > 1}
    clashes = {key for key, found in shared.items() if any(one != found[0] for one in found)}
    while True:
        # What refers to something that is renamed differs, too.
        more = {key for key, found in shared.items() if clashes & set(_references(found))} - clashes
        if not more:
            return clashes
        clashes |= more


def _references(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/components/"):
            kind, _, name = reference.removeprefix("#/components/").partition("/")
            yield kind, name
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _references(child)


def _renamed(document: Document, service: str, clashes: set[tuple[str, str]]) -> Document:
    """The document with its service's name before each clashing component, where defined and where used."""

    def name_of(kind: str, name: str) -> str:
        return f"{service}_{name}" if (kind, name) in clashes else name

    def walk(node: Any) -> None:
        for kind, name in (
            [*_references({"$ref": node["$ref"]})] if isinstance(node, dict) and "$ref" in node else ()
        ):
            node["$ref"] = f"#/components/{kind}/{name_of(kind, name)}"
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(child)

    walk(document)
    for kind, components in document.get("components", {}).items():
        document["components"][kind] = {name_of(kind, name): value for name, value in components.items()}
    for item in document.get("paths", {}).values():
        for method in METHODS & item.keys():
            if "security" in item[method]:
                item[method]["security"] = [
                    {name_of("securitySchemes", name): scopes for name, scopes in wanted.items()}
                    for wanted in item[method]["security"]
                ]
    return document


@dataclass
class _Copy:
    document: Document | None = None
    until: float = 0.0


class Documents:
    """The services' documents; kept for a minute, and for as long as a service is away."""

    def __init__(self, services: Mapping[str, Service], own: Document, pool: Pool) -> None:
        self._services = services
        self._own = own
        self._pool = pool
        self._copies = {name: _Copy() for name in services}
        self._lock = threading.Lock()

    def merged(self) -> Document:
        """The whole shop's document; says which services' parts are missing."""
        with self._lock:
            stale = [name for name, kept in self._copies.items() if kept.until <= time.monotonic()]
            wait([self._pool.submit(partial(self._fetch, name)) for name in stale])
            documents = {name: kept.document for name, kept in self._copies.items() if kept.document}
        missing = sorted(self._services.keys() - documents.keys())
        info = dict(self._own["info"])
        if missing:
            info["description"] += f" Missing at the moment: {', '.join(missing)}."
        return merge({**documents, "frontend": self._own}, info)

    def _fetch(self, name: str) -> None:
        kept = self._copies[name]
        kept.until = time.monotonic() + RETRY_SECONDS
        try:
            response = self._services[name].request("GET", f"/{name}/openapi.json")
            document = response.json() if response.status_code == 200 else None
        except (Unavailable, ValueError) as error:
            log.warning("no OpenAPI document", service=name, reason=str(error))
            return
        if isinstance(document, dict) and "paths" in document:
            kept.document, kept.until = document, time.monotonic() + FRESH_SECONDS
