"""Calls to another service of the platform, through the host's loopback listener."""

import threading
from collections.abc import Mapping
from typing import Any

import requests
import structlog
from requests.adapters import HTTPAdapter

from tandem_common.limits import Limiter
from tandem_common.problems import Unavailable
from tandem_common.request_ids import HEADER, request_id

OUTCOME_UNKNOWN = "urn:tandem:problem:outcome-unknown"
log = structlog.get_logger(__name__)
CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 7.0
"""Longer than the called service's own limits, so that it answers 503 itself."""
AT_ONCE = 4
"""Calls of one process at a time: half of its threads, so that a slow service takes no more than those."""


class CallFailed(Unavailable):
    """No usable answer to a call. `maybe_done` is False where the request certainly changed nothing."""

    def __init__(self, detail: str, *, maybe_done: bool) -> None:
        super().__init__(detail)
        self.maybe_done = maybe_done


class Service:
    """A client of one service. Each thread keeps its own connection open.

    Only for requests that may be repeated: after a lost connection a request is sent a second time.
    """

    def __init__(
        self, name: str, url: str, *, answer_seconds: float = ANSWER_SECONDS, at_once: int = AT_ONCE
    ) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._timeout = (CONNECT_SECONDS, answer_seconds)
        self._limiter = Limiter(at_once)
        self._threads = threading.local()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The service's answer, any status below 500.

        Raises CallFailed for the rest and for silence, and Unavailable where nothing was sent: too many calls.
        """
        sent = {HEADER: request_id() or "", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            with self._limiter.permit(f"calls to {self._name}"):
                response, repeated = self._send(method, path, body, sent)
        except requests.RequestException as error:
            log.warning("call failed", called=self._name, method=method, reason=type(error).__name__)
            raise CallFailed(f"The service {self._name} does not answer.", maybe_done=True) from error
        if response.status_code >= 500:
            log.warning("call failed", called=self._name, method=method, status=response.status_code)
            detail = f"The service {self._name} is not available at the moment."
            raise CallFailed(detail, maybe_done=repeated or not _says_not_done(response))
        return response

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[requests.Response, bool]:
        """The answer, and whether the request was sent twice for it."""
        arguments: dict[str, Any] = {"json": body, "headers": headers, "timeout": self._timeout}
        url = self._url + path
        try:
            return self._session().request(method, url, allow_redirects=False, **arguments), False
        except requests.ConnectionError:
            # Mostly an idle connection that the other side had closed.
            return self._session().request(method, url, allow_redirects=False, **arguments), True

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False  # neither a proxy nor ~/.netrc has a say between services
            session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
            self._threads.session = session
        return session


def _says_not_done(response: requests.Response) -> bool:
    """503 says so, from the services and from HAProxy alike, unless its type is outcome-unknown."""
    if response.status_code != 503:
        return False
    try:
        problem = response.json()
    except requests.JSONDecodeError:
        return True
    return not isinstance(problem, dict) or problem.get("type") != OUTCOME_UNKNOWN
