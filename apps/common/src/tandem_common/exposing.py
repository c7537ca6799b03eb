"""Metrics of a process without a port, over HTTP on a Unix socket. The platform lets its scrapers read them."""

import socketserver
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

from tandem_common.process_metrics import add_process_metrics
from tandem_common.settings import ServiceSettings

log = structlog.get_logger(__name__)

PATH = "/metrics"
CALL_SECONDS = 5.0
"""How long a caller may take; callers are answered one after the other."""


def process_registry(settings: ServiceSettings, more: Sequence[Collector] = ()) -> CollectorRegistry:
    """A registry with the process's own figures and `more`, shown on the socket that the settings name.

    A socket that can't be made is logged: the work is more important than its figures.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    add_process_metrics(registry)
    for collector in more:
        registry.register(collector)
    if settings.metrics_socket:
        try:
            expose(registry, Path(settings.metrics_socket))
        except OSError as error:
            log.error("metrics are not shown", socket=settings.metrics_socket, reason=str(error))
    return registry


def expose(registry: CollectorRegistry, path: Path) -> "Server":
    """Serve a registry from a thread until the process ends. Raises OSError when the socket can't be made."""
    # Left by a process that was killed.
    path.unlink(missing_ok=True)
    server = Server(path, registry)
    # Whoever comes through its folder may read, as everybody on the host may at a service's port.
    path.chmod(0o666)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class Server(socketserver.UnixStreamServer):
    """Answers GET /metrics."""

    def __init__(self, path: Path, registry: CollectorRegistry) -> None:
        self.registry = registry
        super().__init__(str(path), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = CALL_SECONDS

    def do_GET(self) -> None:
        if self.path != PATH:
            self.send_error(404)
            return
        body = generate_latest(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_args: object) -> None:
        """Say nothing: scrapes come every few seconds."""
