# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Which paths a route or a cached path means, and whose they are. The longest route that matches wins."""

from __future__ import annotations

from .services import Catalog


def claimed(path: str) -> str:
    """Return what is the same for two paths that claim the same: ``/cart`` and ``/cart/``."""
    return path.rstrip("/")


def is_below(path: str, route: str) -> bool:
    """Tell whether all that a path means is served by a route, or by longer ones below it.

    ``/cart`` means itself and all below it, ``/cart/`` only what is below it.
    """
    if route.endswith("/"):
        return path.startswith(route)
    return f"{path}/".startswith(f"{route}/")


def owner(path: str, catalog: Catalog) -> str | None:
    """Return the service that NGINX's requests for a path reach."""
    matching = [
        (len(route), name)
        for name, service in catalog.services.items()
        if service.ingress == "nginx"
        for route in service.routes
        if is_below(path, route)
    ]
    return max(matching)[1] if matching else None
