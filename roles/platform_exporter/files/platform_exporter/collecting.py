"""Runs collectors, each at its own pace, and keeps what they found last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector as Registered

from .journal import say

Collect = Callable[[], Iterable[Metric]]
# What is older than so many intervals is not shown: its collector hangs.
OLD_INTERVALS = 3
GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Found:
    """What one run of a collector found; times of the monotonic clock, in seconds."""

    families: Sequence[Metric]
    success: bool
    seconds: float
    at: float


class Collector:
    """One collector with its last finding."""

    def __init__(self, name: str, interval: float, collect: Collect) -> None:
        self.name = name
        self.interval = interval
        self._collect = collect
        self._found: Found | None = None
        self._failing = False

    def run(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Collect once; an error is a finding."""
        started = clock()
        try:
            families: Sequence[Metric] = list(self._collect())
        except Exception as error:
            # Whatever it is, it must not take the other collectors with it.
            families = []
            self._tell(error)
        else:
            self._tell(None)
        ended = clock()
        self._found = Found(families, not self._failing, ended - started, ended)

    def _tell(self, error: Exception | None) -> None:
        """Log the change between failing and working, not each run."""
        if error is not None and not self._failing:
            reason = " ".join(str(error).split()) or type(error).__name__
            say("warning", "collector_failed", f"the collector {self.name} fails: {reason}")
        elif error is None and self._failing:
            say("info", "collector_works", f"the collector {self.name} works again")
        self._failing = error is not None

    def found(self, now: float) -> Found | None:
        """Return the last finding; one of an old run counts as a failure, None is before the first."""
        last = self._found
        if last is None or now - last.at <= OLD_INTERVALS * self.interval + GRACE_SECONDS:
            return last
        return Found([], False, now - last.at, last.at)

    def follow(self, stop: threading.Event) -> None:
        """Collect at every interval until `stop`."""
        while True:
            self.run()
            if stop.wait(self.interval):
                return


class Page(Registered):
    """All collectors, as prometheus_client asks for them."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self.collectors = collectors

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is, is known only after a run."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return what was found last, and how each collector fared."""
        now = time.monotonic()
        success = GaugeMetricFamily(
            "tandem_collector_success", "1 if the collector's last run worked", labels=["collector"]
        )
        seconds = GaugeMetricFamily(
            "tandem_collector_duration_seconds",
            "How long the collector's last run took",
            labels=["collector"],
        )
        for collector in self.collectors:
            found = collector.found(now)
            if found is None:
                continue
            yield from found.families
            success.add_metric([collector.name], float(found.success))
            seconds.add_metric([collector.name], found.seconds)
        yield success
        yield seconds


def start(collectors: Sequence[Collector], stop: threading.Event) -> None:
    """Start a thread for each collector."""
    for collector in collectors:
        threading.Thread(target=collector.follow, args=(stop,), name=collector.name, daemon=True).start()
