# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""How many instances an entry has when their number follows what there is to do (docs/autoscale.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from .schema import Strict

MOST_INSTANCES = 64  # of an entry on a host
MEASURE_COMMAND = "queue-length"  # of a consumer's console script: prints how many messages wait for it

# The controller on a host is made of these modules of plugins/module_utils, as a package of its own.
PACKAGE = "tandem_host"
MODULES = (
    *("autoscale_controller", "autoscale_metrics", "autoscale_rule"),
    *("instances_door", "instances_health", "instances_managers", "instances_plan", "instances_roll"),
    *("instances_supervisord", "instances_systemd", "service_host", "supervisord_rpc"),
)
UNITS = "/etc/systemd/system"

Count = Annotated[int, Field(ge=1, le=MOST_INSTANCES)]


class Autoscale(Strict):
    """Between ``min`` and ``max`` instances on each host, one for every ``per_instance`` of ``metric``."""

    min: Count = 1
    max: Annotated[Count, Field(examples=["max: 4"])]
    metric: Annotated[
        Literal["queue_length", "request_rate"], Field(examples=["metric: queue_length or request_rate"])
    ]
    per_instance: Annotated[int, Field(ge=1, le=1_000_000, examples=["per_instance: 50"])]


def autoscale_view(autoscale: Autoscale | None, command: list[str] | None) -> dict[str, Any] | None:
    """Return what a host's controller needs to know; ``command``: the entry's own.

    ``measure``: the command that tells the length of its queues; None where the door counts requests.
    """
    if autoscale is None:
        return None
    measured = command if autoscale.metric == "queue_length" else None
    return {
        "min": autoscale.min,
        "max": autoscale.max,
        "metric": autoscale.metric,
        "per_instance": autoscale.per_instance,
        "measure": [measured[0], MEASURE_COMMAND] if measured else None,
    }


def measure_entries(service: str, unit: str | None) -> dict[str, list[Any]]:
    """Return the entries of the unit that tells the length of a service's queues, None where it has none."""
    path = f"{UNITS}/{service}-queue-length.service"
    if unit is None:
        return {"directories": [], "files": [], "absent": [path]}
    return {"directories": [], "files": [{"path": path, "content": unit}], "absent": []}


def program_entries(
    services: Iterable[Mapping[str, Any]], modules: Path, library: str
) -> dict[str, list[Any]]:
    """Return the entries of the controller's modules, found in the folder ``modules``, where a service needs them."""
    if not any(view.get("autoscale") for view in services):
        return {"directories": [], "files": [], "absent": []}
    folder = f"{library}/{PACKAGE}"
    files = [{"path": f"{folder}/{name}.py", "source": str(modules / f"{name}.py")} for name in MODULES]
    files.append({"path": f"{folder}/__init__.py", "content": ""})
    return {"directories": [{"path": library}, {"path": folder}], "files": files, "absent": []}
