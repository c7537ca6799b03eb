"""Which collectors there are, what each needs to be told, and how often it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from . import facts, host, postgres
from .collecting import Collect, Collector

NEEDS: Mapping[str, frozenset[str]] = {
    "certificates": frozenset(),
    "databases": frozenset({"dsns"}),
    "monitor": frozenset({"dsn"}),
    "quorum_critical": frozenset({"file"}),
    "self_fence": frozenset({"file"}),
    "services": frozenset({"door"}),
    "stall_guard": frozenset({"dsn"}),
    "timers": frozenset(),
}
"""Names of the settings of each collector."""
SECONDS: Mapping[str, float] = {
    "certificates": 30.0,
    "databases": 15.0,
    "monitor": 15.0,
    "quorum_critical": 15.0,
    "self_fence": 15.0,
    "services": 15.0,
    "stall_guard": 15.0,
    "timers": 15.0,
}


def fact(path: Path, name: str, documentation: str) -> Iterator[Metric]:
    """Return the one metric of a fact."""
    family = GaugeMetricFamily(name, documentation)
    family.add_metric([], facts.read(path))
    yield family


def _work(name: str, settings: Mapping[str, Any], places: host.Places) -> Collect:
    makers: dict[str, Callable[[], Collect]] = {
        "certificates": lambda: partial(host.certificates, places),
        "databases": lambda: partial(
            postgres.databases, {key: postgres.Connection(dsn) for key, dsn in settings["dsns"].items()}
        ),
        "monitor": lambda: partial(postgres.monitor, postgres.Connection(settings["dsn"])),
        "quorum_critical": lambda: partial(
            fact,
            Path(settings["file"]),
            "tandem_rabbitmq_quorum_critical_queues",
            "Queues that would lose their majority with this node",
        ),
        "self_fence": lambda: partial(
            fact,
            Path(settings["file"]),
            "tandem_postgres_self_fence_primed",
            "1 if the node would stop itself when it is cut off as primary",
        ),
        "services": lambda: partial(host.services, places, settings["door"]),
        "stall_guard": lambda: partial(postgres.stall_guard, postgres.Connection(settings["dsn"])),
        "timers": lambda: partial(host.timers, places),
    }
    return makers[name]()


def collectors(wanted: Mapping[str, Mapping[str, Any]], places: host.Places | None = None) -> list[Collector]:
    """Return the collectors that are switched on, whose settings have been checked."""
    where = places or host.Places()
    return [Collector(name, SECONDS[name], _work(name, settings, where)) for name, settings in wanted.items()]
