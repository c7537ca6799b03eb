"""What the platform asks a service: is the process alive, may it get requests, can it write. And its metrics.

These paths are outside every public prefix, so the edge never routes to them.
"""

from flask import Flask, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from tandem_common.metrics import Metrics
from tandem_common.problems import Unavailable
from tandem_common.settings import ServiceSettings
from tandem_common.watch import Watch

PATHS = frozenset({"/health/live", "/health/ready", "/health/writable", "/metrics"})


def mount(app: Flask, settings: ServiceSettings, metrics: Metrics, watch: Watch | None) -> None:
    """Add /health/live, /health/ready, /health/writable and /metrics."""
    place = {"service": settings.service_name, "site": settings.site, "host": settings.host_name}

    def live() -> Response:
        return jsonify(status="live", release=settings.tandem_release, **place)

    def ready() -> Response:
        """Stays 200 through a failover: reads go on then, and writes get a proper 503."""
        if watch and not watch.ready():
            raise Unavailable(f"No database node can be read from site {settings.site}.", name="not-ready")
        return jsonify(status="ready", **place)

    def writable() -> Response:
        if watch and not watch.writable():
            raise Unavailable(
                f"No database node takes writes from site {settings.site}.", name="not-writable"
            )
        return jsonify(status="writable", **place)

    def numbers() -> Response:
        return Response(metrics.page(), content_type=CONTENT_TYPE_LATEST)

    for path, view in (
        ("/health/live", live),
        ("/health/ready", ready),
        ("/health/writable", writable),
        ("/metrics", numbers),
    ):
        app.add_url_rule(path, endpoint=path, view_func=view)
