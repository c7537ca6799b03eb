# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The derived structure for people: all of it or one view, for all hosts or one, secret values masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .problems import did_you_mean, listing, shown

SECRET_NAME = re.compile(r"PASSWORD|TOKEN|SECRET|KEY", re.IGNORECASE)
MASK = "********"
ALL = "all"
# Keys of the structure, by the names under which they are shown.
PLATFORM_VIEWS = {
    "catalog": "services",
    "hosts": "hosts",
    "sites": "sites",
    "postgres": "postgres",
    "rabbitmq": "rabbitmq",
    "valkey": "valkey",
    "alerts": "alerts",
    "logs": "logs",
    "metrics": "metrics",
    "timeouts": "timeouts",
    "apps": "apps",
    "smoke": "smoke_paths",
    "notices": "notices",
}
HOST_VIEWS = ("etc_hosts", "certificates", "services", "haproxy", "nginx", "exporter")


def config_view(platform: Mapping[str, Any], view: str = ALL, host: str = "") -> dict[str, Any]:
    """Return the views by name; per-host views by host below.

    ``view`` is one name or ``all``; ``host`` limits per-host views to one host; then ``all`` has only
    these. Raises ValueError, with the cure, for a name that is not known.
    """
    known = [ALL, *PLATFORM_VIEWS, *HOST_VIEWS]
    if view not in known:
        cure = did_you_mean(view, known, f"write one of {listing(known)}")
        raise ValueError(f"view={shown(view)} is not known: {cure}")
    if host and host not in platform["views"]:
        cure = did_you_mean(host, platform["views"], f"write one of {listing(platform['views'])}")
        raise ValueError(f"host={shown(host)} is not in group platform: {cure}")
    chosen: dict[str, Any] = {
        name: platform[key]
        for name, key in PLATFORM_VIEWS.items()
        if view == name or (view == ALL and not host)
    }
    hosts = [host] if host else list(platform["views"])
    for name in HOST_VIEWS:
        if view in (ALL, name):
            chosen[name] = {each: platform["views"][each][name] for each in hosts}
    return dict(masked(chosen))


def masked(value: Any) -> Any:
    """Return the value with the values of secret-looking variables masked, in every ``environment`` below."""
    if isinstance(value, Mapping):
        return {
            key: masked_environment(item) if key == "environment" else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value


def masked_environment(environment: Any) -> Any:
    """Return variables with the values masked of those whose names look secret."""
    if not isinstance(environment, Mapping):
        return masked(environment)
    return {name: MASK if SECRET_NAME.search(str(name)) else value for name, value in environment.items()}
