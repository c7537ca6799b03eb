"""Metrics of relays and consumers. A worker has no port: whoever runs one may give it a registry to expose."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RelayMetrics:
    """Of one relay process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.oldest = Gauge(
            "outbox_oldest_seconds", "Age of the oldest event that is not sent yet", registry=registry
        )
        self.published = Counter("outbox_published", "Events confirmed by the broker", registry=registry)
        self.refused = Counter(
            "outbox_refused", "Attempts that the broker refused", ["type"], registry=registry
        )
        self.leads = Gauge("outbox_relay_leads", "1 while this relay is the active one", registry=registry)


class ConsumerMetrics:
    """Of one consumer process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.consumed = Counter(
            "events_consumed",
            "Messages by what became of them: done, repeated, retried, dead, given_back",
            ["type", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "events_seconds", "Time to handle a message", ["type"], buckets=BUCKETS, registry=registry
        )
        self.lag = Gauge(
            "event_lag_seconds", "Age of the event handled last, when it came", ["type"], registry=registry
        )
