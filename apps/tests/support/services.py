"""Applications behind real sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import make_server


@contextmanager
def served(application: Flask) -> Iterator[str]:
    """The application's URL while it is served."""
    service = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{service.server_port}"
    service.shutdown()
    service.server_close()
    application.extensions["database"].close()
