"""Metrics of the cache. Hit ratio: `cache_reads_total{outcome="hit"}` by all of `cache_reads_total`."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class CacheMetrics:
    """Of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reads = Counter(
            "cache_reads",
            "Reads by where the answer came from: hit, shared (somebody else's computation), miss, bypass (no Valkey)",
            ["region", "outcome"],
            registry=registry,
        )
        self.failures = Counter(
            "cache_failures",
            "What went wrong with Valkey: timeout, connection, answer, content",
            ["reason"],
            registry=registry,
        )
        self.usable = Gauge(
            "cache_usable", "0 while Valkey is left alone because it failed", registry=registry
        )
        self.usable.set(1)
