# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Who is told of alerts, by which Alertmanagers, and what the rules take for enough."""

from __future__ import annotations

from typing import Any

from .alerts import Hook, Objectives
from .inventory import Inventory
from .project_files import absolute
from .settings import Platform

PORT = 9093


def alerts_view(inventory: Inventory, platform: Platform) -> dict[str, Any]:
    """Return the Alertmanagers (one on each host of `obs`), receivers with full paths, and rules with objectives."""
    alerts, project = platform.alerts, platform.project_dir
    observers = inventory.of("obs")
    email = alerts.email.model_dump() if alerts.email else None
    if email and email["password_file"]:
        email["password_file"] = absolute(project, email["password_file"])
    return {
        "managers": [
            {"host": host.name, "address": host.address, "url": f"https://{host.name}:{PORT}"}
            for host in observers
        ],
        "email": email,
        "webhook": _hook(alerts.webhook, project),
        "dead_man": _hook(alerts.dead_man, project),
        "rules": objective_rules(alerts.objectives),
    }


def objective_rules(objectives: Objectives) -> dict[str, Any]:
    """Return a file of rules for Prometheus that tells the other rules what is promised, as shares and seconds."""
    values = {
        "availability": round(objectives.availability / 100, 8),
        "latency": round(objectives.latency / 100, 8),
        "latency_seconds": objectives.latency_seconds,
    }
    rules = [
        {"record": "tandem_objective", "labels": {"objective": name}, "expr": f"vector({value!r})"}
        for name, value in values.items()
    ]
    return {"groups": [{"name": "objectives of the inventory", "rules": rules}]}


def _hook(hook: Hook | None, project: str) -> dict[str, Any] | None:
    if hook is None:
        return None
    token = hook.token_file
    return {"url": hook.url, "token_file": absolute(project, token) if token else None}
