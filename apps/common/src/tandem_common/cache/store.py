"""Valkey with little patience: it answers at once, or it is as if it were not there."""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
import valkey
from prometheus_client import CollectorRegistry

from tandem_common.cache.breaker import Breaker
from tandem_common.cache.metrics import CacheMetrics
from tandem_common.settings import CacheSettings

T = TypeVar("T")
log = structlog.get_logger(__name__)

PATIENT_SECONDS = 1.0
"""For what nobody waits for: invalidations and probes."""


class Unusable(Exception):
    """Valkey gave no usable answer. Counted already; go on without it."""


class Store:
    """The client of one process. Connects when it is used; safe for threads and forks."""

    def __init__(self, settings: CacheSettings, registry: CollectorRegistry) -> None:
        self.metrics = CacheMetrics(registry)
        self._answer_seconds = settings.valkey_answer_ms / 1000
        self._quick = _client(settings, self._answer_seconds, settings.valkey_connect_ms / 1000)
        self._patient = _client(settings, PATIENT_SECONDS, PATIENT_SECONDS)
        self._breaker = Breaker(self._probe, self.metrics.usable.set) if self._quick else None
        self.prefix = f"{settings.valkey_user}:"
        """Of all keys: the server refuses others."""

    @property
    def usable(self) -> bool:
        """Whether to ask."""
        return self._breaker is not None and self._breaker.usable

    def ask(self, work: Callable[["valkey.Valkey"], T]) -> T:
        """What `work` gets from Valkey. Raises Unusable: at once while Valkey is left alone, or after a failure."""
        if self._quick is None or self._breaker is None or not self._breaker.usable:
            raise Unusable
        try:
            result = work(self._quick)
        except (valkey.ValkeyError, OSError) as error:
            self._failed(error)
            self._breaker.failed()
            raise Unusable from error
        self._breaker.succeeded()
        return result

    def tell(self, work: Callable[["valkey.Valkey"], object]) -> bool:
        """Do something that nobody waits for, whatever the breaker says; whether it worked."""
        if self._patient is None:
            return False
        try:
            work(self._patient)
        except (valkey.ValkeyError, OSError) as error:
            self._failed(error)
            return False
        return True

    def unreadable(self) -> None:
        """Count a value that is not what was stored; it does not speak against the server."""
        self.metrics.failures.labels("content").inc()

    def close(self) -> None:
        """Close all connections."""
        for client in (self._quick, self._patient):
            if client is not None:
                client.close()
                client.connection_pool.disconnect()

    def _failed(self, error: Exception) -> None:
        self.metrics.failures.labels(_reason(error)).inc()
        log.warning("cache failed", reason=_reason(error), error=type(error).__name__)

    def _probe(self) -> bool:
        """Whether it answers a ping, on a connection that is there, as fast as readers need it."""
        if self._patient is None:
            return False
        try:
            self._patient.ping()
            started = time.monotonic()
            self._patient.ping()
        except (valkey.ValkeyError, OSError):
            return False
        return time.monotonic() - started <= self._answer_seconds


def _reason(error: Exception) -> str:
    if isinstance(error, valkey.TimeoutError | TimeoutError):
        return "timeout"
    if isinstance(error, valkey.ConnectionError | OSError) and not isinstance(
        error, valkey.AuthenticationError
    ):
        return "connection"
    return "answer"


class _Connection(valkey.Connection):
    """TLS that trusts the platform's authority alone.

    The library's own would load the system's authorities for every connection, and trust them.
    """

    def __init__(self, *, context: ssl.SSLContext, **more: Any) -> None:
        base: Any = super()  # whose types are not complete
        base.__init__(**more)
        self._context = context

    def _connect(self) -> ssl.SSLSocket:
        base: Any = super()
        plain: socket.socket = base._connect()
        try:
            return self._context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


def _client(settings: CacheSettings, answer: float, connect: float) -> "valkey.Valkey | None":
    """A client that never tries twice, or None where there is no Valkey."""
    if settings.valkey_host is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(settings.valkey_ca)
    password = settings.valkey_password
    pool = valkey.ConnectionPool(
        connection_class=_Connection,
        context=context,
        host=settings.valkey_host,
        port=settings.valkey_port,
        username=settings.valkey_user,
        password=password.get_secret_value() if password else None,
        socket_timeout=answer,
        socket_connect_timeout=connect,
        socket_keepalive=True,
        # Each would be one more round trip of a new connection.
        lib_name=None,
        lib_version=None,
    )
    return valkey.Valkey(connection_pool=pool)
