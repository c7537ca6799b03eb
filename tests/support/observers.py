"""Prometheus and Loki of the lab's observing hosts, asked from the outside of Grafana."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.model import Source
from lab import Lab
from tests.support.panels import QueryError, Series

LINES_SECONDS = 3600
LINES = 20
TLS = "/etc/tandem/tls"


@dataclass(frozen=True)
class Observer:
    """Prometheus and Loki of an observing host of the lab, asked on that host with its certificates."""

    lab: Lab
    host: str

    def __call__(self, source: Source, expr: str, lines: bool) -> list[Series]:
        """Ask; raises QueryError."""
        if source is Source.PROMETHEUS:
            return self._get("metrics", 9090, "api/v1/query", {"query": expr})
        if not lines:
            return self._get("promtail", 3100, "loki/api/v1/query", {"query": expr})
        start = f"{time.time() - LINES_SECONDS:.0f}"
        options = {"query": expr, "start": start, "limit": str(LINES), "direction": "backward"}
        return self._get("promtail", 3100, "loki/api/v1/query_range", options)

    def _get(self, certificate: str, port: int, path: str, options: Mapping[str, str]) -> list[Series]:
        command = ["curl", "-sS", "--max-time", "30", "--get", "--cacert", f"{TLS}/ca.pem"]
        command += ["--cert", f"{TLS}/{certificate}/certificate.pem", "--key", f"{TLS}/{certificate}/key.pem"]
        for name, value in options.items():
            command += ["--data-urlencode", f"{name}={value}"]
        done = self.lab.run(self.host, [*command, f"https://{self.host}:{port}/{path}"])
        if done.returncode:
            raise QueryError(str(done.stderr).strip())
        return parse(str(done.stdout))


def parse(text: str) -> list[Series]:
    """Series of an answer of Prometheus or Loki; raises QueryError with what it said when it refused."""
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        raise QueryError(text.strip() or "no answer") from None
    if answer.get("status") != "success":
        raise QueryError(str(answer.get("error") or answer))
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return [Series({}, float(data["result"][1]))]
    return [_series(item) for item in data["result"]]


def _series(item: dict[str, Any]) -> Series:
    if "value" in item:
        return Series(item["metric"], float(item["value"][1]))
    if "stream" in item:
        return Series(item["stream"], len(item["values"]), item["values"][0][1])
    return Series(item["metric"], float(item["values"][-1][1]))


def observers(lab: Lab) -> list[Observer]:
    """The lab's observing hosts that run."""
    hosts = [host.name for listed in lab.inventories() for host in listed.hosts if "obs" in host.classes]
    return [Observer(lab, host) for host in hosts if lab.running(host)]
