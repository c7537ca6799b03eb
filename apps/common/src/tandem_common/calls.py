"""Calls to another service of the platform, through the host's loopback listener."""

import threading
from collections.abc import Mapping
from typing import Any

import requests
import structlog
from requests.adapters import HTTPAdapter

from tandem_common.application import REQUEST_ID, request_id
from tandem_common.limits import Limiter
from tandem_common.problems import Unavailable

log = structlog.get_logger(__name__)
CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 7.0
"""Longer than the called service's own limits, so that it answers 503 itself."""
AT_ONCE = 4
"""Calls of one process at a time: half of its threads, so that a slow service takes no more than those."""


class Service:
    """A client of one service. Each thread keeps its own connection open.

    Only for requests that may be repeated: after a lost connection a request is sent a second time.
    """

    def __init__(self, name: str, url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._timeout = (CONNECT_SECONDS, answer_seconds)
        self._limiter = Limiter(AT_ONCE)
        self._threads = threading.local()

    def request(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, token: str | None = None
    ) -> requests.Response:
        """The service's answer, any status below 500; raises Unavailable for the rest and for silence."""
        headers = {REQUEST_ID: request_id() or ""}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            with self._limiter.permit(f"calls to {self._name}"):
                response = self._send(method, path, body, headers)
        except requests.RequestException as error:
            log.warning("call failed", called=self._name, method=method, reason=type(error).__name__)
            raise Unavailable(f"The service {self._name} does not answer.") from error
        if response.status_code >= 500:
            log.warning("call failed", called=self._name, method=method, status=response.status_code)
            raise Unavailable(f"The service {self._name} is not available at the moment.")
        return response

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> requests.Response:
        arguments: dict[str, Any] = {"json": body, "headers": headers, "timeout": self._timeout}
        url = self._url + path
        try:
            return self._session().request(method, url, allow_redirects=False, **arguments)
        except requests.ConnectionError:
            # Mostly an idle connection that the other side had closed.
            return self._session().request(method, url, allow_redirects=False, **arguments)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # neither a proxy nor ~/.netrc has a say between services
            session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
            self._threads.session = session
        return session
