"""Logs: one JSON object per line on stdout, without credentials.

Every line has `service`, `host`, `site` and `level`, and `request_id`, `user_id` and `order_id` where they are known
(`about`). Whoever reads the logs finds by them what belongs together.
"""

import json
import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from tandem_common.redaction import Redaction
from tandem_common.settings import ServiceSettings

LONGEST_ID = 128
log = structlog.get_logger("process")


def about(**ids: Any) -> None:
    """Say what the present request or message is about: `user_id`, `order_id`, `request_id`. None says nothing.

    Until the request or message ends, every line of this thread has them.
    """
    known = {name: str(value)[:LONGEST_ID] for name, value in ids.items() if value is not None}
    structlog.contextvars.bind_contextvars(**known)


def configure(settings: ServiceSettings) -> None:
    """Send structlog's and the standard library's records (libraries, gunicorn's worker) the same way.

    Also what would end the process or a thread, and warnings.
    """

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
    handler = _Handler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                Redaction.of_process(),
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
    logging.captureWarnings(capture=True)
    sys.excepthook = _process_ends
    threading.excepthook = _thread_ends


class _Handler(logging.StreamHandler[Any]):
    """Where a line can't be made, the standard library would print the record with all its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:
        kind = sys.exc_info()[0]
        problem = {"event": "a log line could not be made", "level": "error", "logger": record.name}
        line = {**problem, "reason": kind.__name__ if kind else None}
        sys.stderr.write(json.dumps(line) + "\n")


def _process_ends(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("the process ends", exc_info=(kind, error, trace))


def _thread_ends(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit or ended.exc_value is None:
        return
    name = ended.thread.name if ended.thread else None
    log.critical(
        "a thread ends", thread=name, exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback)
    )
