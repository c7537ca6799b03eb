"""Asking a Prometheus, as tests do: over mutual TLS, from the controller or from a host."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Get = Callable[[str], str]
"""Fetches a path with its query, such as `/api/v1/query?query=up`, and returns the body; also that of an error."""

TIMEOUT = 15.0


class PrometheusError(Exception):
    """Prometheus refused a question; the message is what it said."""


@dataclass(frozen=True)
class Sample:
    """One series of an answer: its labels and its last value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Prometheus:
    """One Prometheus. Its answers are as new as its last scrape (15 s)."""

    get: Get

    def _data(self, path: str, **parameters: str) -> Any:
        answer = json.loads(self.get(f"{path}?{urllib.parse.urlencode(parameters)}"))
        if answer["status"] != "success":
            raise PrometheusError(f"{parameters}: {answer['errorType']}: {answer['error']}")
        return answer["data"]

    def query(self, promql: str, at: float | None = None) -> list[Sample]:
        """Return what an expression is now, or at a Unix time; a number has no labels."""
        moment = {} if at is None else {"time": str(at)}
        data = self._data("/api/v1/query", query=promql, **moment)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(item["metric"], float(item["value"][1])) for item in data["result"]]

    def value(self, promql: str) -> float | None:
        """Return an expression's only value; None when there is none. Raises ValueError when there are more."""
        found = self.query(promql)
        if len(found) > 1:
            raise ValueError(f"{promql} has {len(found)} values")
        return found[0].value if found else None

    def by(self, label: str, promql: str) -> dict[str, float]:
        """Return an expression's values by one label, which must tell them apart."""
        found = self.query(promql)
        values = {sample.labels.get(label, ""): sample.value for sample in found}
        if len(values) != len(found):
            raise ValueError(f"{promql} has several values of one {label}")
        return values

    def query_range(
        self, promql: str, start: float, end: float, step: float = 15
    ) -> list[tuple[Mapping[str, str], list[tuple[float, float]]]]:
        """Return each series of an expression with its points: Unix time and value."""
        data = self._data("/api/v1/query_range", query=promql, start=str(start), end=str(end), step=str(step))
        return [
            (item["metric"], [(float(when), float(value)) for when, value in item["values"]])
            for item in data["result"]
        ]

    def targets(self) -> list[dict[str, Any]]:
        """Return the targets that are scraped, as the API describes them."""
        found: list[dict[str, Any]] = self._data("/api/v1/targets", state="active")["activeTargets"]
        return found

    def down(self) -> list[str]:
        """Return what can't be scraped, with the reason, in words."""
        return sorted(
            f"{item['labels']['job']} {item['labels']['instance']}: {item['lastError']}"
            for item in self.targets()
            if item["health"] != "up"
        )

    def alerts(self, state: str = "firing") -> list[dict[str, Any]]:
        """Return the alerts of a state (`firing` or `pending`), as the API describes them."""
        return [item for item in self._data("/api/v1/alerts")["alerts"] if item["state"] == state]

    def wait(self, promql: str, seconds: float = 60) -> list[Sample]:
        """Wait until an expression has a value, and return what it has then."""
        end = time.monotonic() + seconds
        while not (found := self.query(promql)):
            assert time.monotonic() < end, f"{promql} had no value for {seconds:.0f} s"
            time.sleep(1)
        return found


def over_tls(host: str, address: str, authority: Path, certificate: Path, key: Path, port: int = 9090) -> Get:
    """Return how to ask the Prometheus of a host at its address, from here, with a certificate that it lets in."""
    context = ssl.create_default_context(cafile=str(authority))
    context.load_cert_chain(certificate, key)
    # Certificates have the hosts' addresses, too, so the address is what is checked.

    def get(path: str) -> str:
        request = urllib.request.Request(
            f"https://{address}:{port}{path}", headers={"Host": f"{host}:{port}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    return get


def from_store(store: Path, host: str, address: str, caller: str | None = None) -> Prometheus:
    """Return a client with the certificate of an observing host, as the controller's store of secrets has it."""
    folder = store / "certificates" / (caller or host)
    authority = store / "ca" / "ca.pem"
    return Prometheus(over_tls(host, address, authority, folder / "metrics.pem", folder / "metrics.key"))


def on_host(run: Callable[[str], str], host: str, port: int = 9090) -> Prometheus:
    """Return a client that asks on the observing host itself, with its certificate; `run` gives a command's output."""
    tls = "/etc/tandem/tls"
    options = f"--cacert {tls}/ca.pem --cert {tls}/metrics/certificate.pem --key {tls}/metrics/key.pem"

    def get(path: str) -> str:
        return run(f"curl --silent --show-error --max-time 15 {options} 'https://{host}:{port}{path}'")

    return Prometheus(get)
