# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What the edges' routers check before they choose a service: tokens, limits, and the keys of API clients."""

from __future__ import annotations

from typing import Any

from .gateway import Gateway, client_secret


def gateway_view(gateway: Gateway) -> dict[str, Any]:
    """Return what a router checks; secrets by their paths in the controller's folder, never their values."""
    tokens = gateway.tokens
    return {
        "tokens": {
            "issuer": tokens.issuer,
            "audience": tokens.audience,
            "secrets": [f"services/{path}" for path in tokens.keys_of],
        }
        if tokens is not None
        else None,
        "limits": gateway.limits.model_dump(),
        "clients": api_clients(gateway),
    }


def api_clients(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the API clients by name: where their keys are, and their quotas."""
    return [
        {"name": name, "secret": client_secret(name), "requests": rate.requests, "per": rate.per}
        for name, rate in sorted(gateway.clients.items())
    ]
