"""What a Loki knows, asked on its own host with that host's certificate."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab import Lab

TLS = "/etc/tandem/tls"
PORT = 3100
MOST = 5000
"""Lines of one answer: Loki's own bound."""


class LokiError(Exception):
    """Loki does not answer, or refuses the query; the message is what it said."""


@dataclass(frozen=True)
class Line:
    """A line: when (seconds since 1970), its labels and structured metadata together, and its text."""

    time: float
    labels: Mapping[str, str]
    text: str

    def json(self) -> dict[str, Any]:
        """The text as an object; ValueError if it is none."""
        found = json.loads(self.text)
        if not isinstance(found, dict):
            raise ValueError(f"no object: {self.text}")
        return found


@dataclass(frozen=True)
class Loki:
    """The Loki of one host of the lab."""

    lab: Lab
    host: str

    def lines(self, query: str, seconds: float = 900, limit: int = MOST) -> list[Line]:
        """Lines of the last `seconds`, oldest first. Raises LokiError, also when there may be more than `limit`."""
        found = parse_lines(self._ask("query_range", self._range(query, seconds, limit)))
        if len(found) >= limit:
            raise LokiError(f"{query} has {limit} lines or more; ask for less")
        return found

    def count(self, selector: str, seconds: int = 900) -> int:
        """How many lines a selector (with filters) has in the last `seconds`."""
        query = f"sum(count_over_time({selector} [{seconds}s]))"
        return parse_count(self._ask("query", {"query": query}))

    def series(self, selector: str = '{host=~".+"}', seconds: float = 3600) -> list[dict[str, str]]:
        """The streams of the last `seconds` by their labels."""
        now = time.time()
        found = self._ask(
            "series", {"match[]": selector, "start": f"{now - seconds:.0f}", "end": f"{now:.0f}"}
        )
        return [dict(labels) for labels in found]

    def of_order(self, order_id: str, seconds: float = 900) -> list[Line]:
        """All lines of an order: those with its id, and those of the requests that these name."""
        own = self.lines(f'{{host=~".+"}} | order_id = `{order_id}`', seconds)
        requests = sorted({line.labels["request_id"] for line in own if "request_id" in line.labels})
        if not requests:
            return own
        joined = self.lines(f'{{host=~".+"}} | request_id =~ `{"|".join(requests)}`', seconds)
        alone = [line for line in own if "request_id" not in line.labels]
        return sorted([*joined, *alone], key=lambda line: line.time)

    def everything(self, query: str = '{host=~".+"}', seconds: float = 3600) -> Iterator[Line]:
        """All lines of the last `seconds`, oldest first, page by page."""
        parameters = self._range(query, seconds, MOST)
        seen: set[str] = set()
        while True:
            result = self._ask("query_range", parameters)
            # The last moment of a page may go on in the next one, which therefore begins with it.
            page = [(line, _identity(line)) for line in parse_lines(result)]
            yield from (line for line, identity in page if identity not in seen)
            if len(page) < MOST:
                return
            last = max(moment for stream in result for moment, *_ in stream["values"])
            if last == parameters["start"]:
                raise LokiError(f"{MOST} lines or more have the time {last}")
            parameters["start"], seen = last, {identity for _, identity in page}

    @staticmethod
    def _range(query: str, seconds: float, limit: int) -> dict[str, str]:
        now = time.time()
        moments = {"start": f"{(now - seconds) * 1e9:.0f}", "end": f"{(now + 60) * 1e9:.0f}"}
        return {"query": query, "limit": str(limit), "direction": "forward", **moments}

    def _ask(self, what: str, parameters: Mapping[str, str]) -> Any:
        command = ["curl", "-sS", "--fail-with-body", "--max-time", "50", "--get"]
        command += ["--cacert", f"{TLS}/ca.pem", "--cert", f"{TLS}/promtail/certificate.pem"]
        command += ["--key", f"{TLS}/promtail/key.pem"]
        for name, value in parameters.items():
            command += ["--data-urlencode", f"{name}={value}"]
        done = self.lab.run(self.host, [*command, f"https://{self.host}:{PORT}/loki/api/v1/{what}"])
        if done.returncode:
            raise LokiError(f"{self.host}: {parameters}: {done.stdout}{done.stderr}")
        answer = json.loads(done.stdout)
        return answer["data"] if what == "series" else answer["data"]["result"]


def _identity(line: Line) -> str:
    return json.dumps([line.time, sorted(line.labels.items()), line.text])


def parse_lines(result: list[dict[str, Any]]) -> list[Line]:
    """Lines of all streams of a query_range's result, oldest first."""
    found = [
        Line(int(moment) / 1e9, stream["stream"], text)
        for stream in result
        for moment, text, *_ in stream["values"]
    ]
    return sorted(found, key=lambda line: line.time)


def parse_count(result: list[dict[str, Any]]) -> int:
    """The one number of an instant query's result; 0 where nothing was found."""
    return int(float(result[0]["value"][1])) if result else 0
