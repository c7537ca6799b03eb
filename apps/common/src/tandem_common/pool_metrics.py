"""Metrics of a process's database connections: pool `primary` for writes and fresh reads, `near` for other reads."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge, Histogram
from sqlalchemy import Connection, Engine
from sqlalchemy.pool import QueuePool

BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class PoolMetrics:
    """Sizes are read when they are asked for; waits are counted, with the time to connect where a connection is new."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._size = Gauge("database_pool_size", "Largest number of connections", ["pool"], registry=registry)
        self._out = Gauge("database_pool_checked_out", "Connections at work", ["pool"], registry=registry)
        self._wait = Histogram(
            "database_pool_wait_seconds",
            "Time to get a connection",
            ["pool"],
            buckets=BUCKETS,
            registry=registry,
        )

    def watch(self, engine: Engine, name: str) -> None:
        """Show a pool under a name."""

        def checked_out() -> float:
            # Asked anew each time: `dispose` gives an engine another pool.
            return float(engine.pool.checkedout()) if isinstance(engine.pool, QueuePool) else 0.0

        pool = engine.pool
        self._size.labels(name).set(pool.size() if isinstance(pool, QueuePool) else 0)
        self._out.labels(name).set_function(checked_out)

    @contextmanager
    def connection(self, engine: Engine, name: str) -> Iterator[Connection]:
        """A connection of the engine, with its wait counted, also one in vain."""
        started = time.perf_counter()
        try:
            connection = engine.connect()
        finally:
            self._wait.labels(name).observe(time.perf_counter() - started)
        with connection:
            yield connection
