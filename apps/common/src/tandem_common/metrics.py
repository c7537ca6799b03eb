"""Prometheus metrics of one process (a service instance is one worker process)."""

from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from tandem_common.process_metrics import add_process_metrics

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class Metrics:
    """The registry and what every service counts."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        add_process_metrics(self.registry)
        labels = ["method", "route"]
        self.requests = Counter(
            "http_requests", "Requests answered", [*labels, "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "http_request_duration_seconds", "Time to answer", labels, buckets=BUCKETS, registry=self.registry
        )
        self.present = Gauge("http_requests_in_progress", "Requests being answered", registry=self.registry)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
