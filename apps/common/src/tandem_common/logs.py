"""Logs: one JSON object per line on stdout."""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from tandem_common.settings import ServiceSettings


def configure(settings: ServiceSettings) -> None:
    """Send structlog's and the standard library's records (libraries, gunicorn's worker) the same way."""

    def add_origin(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
        record.update(service=settings.service_name, host=settings.host_name, site=settings.site)
        return record

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_origin,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # Its debug lines repeat every request to another service; ours say more.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    # Its errors come with tracebacks for every node that is away; ours name the node and the reason.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    server = logging.getLogger("gunicorn.error")
    server.handlers = []
    server.propagate = True
