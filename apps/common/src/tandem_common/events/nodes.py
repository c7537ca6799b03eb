"""Which of the broker's nodes to connect to."""

import ssl
import time
from dataclasses import dataclass, field

import pika

from tandem_common.settings import BrokerSettings

SHUN_SECONDS = 5.0
"""A node that failed is not tried first for this long."""


@dataclass(frozen=True)
class Node:
    """One node of the broker."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass
class Nodes:
    """All of them, own site first."""

    nodes: list[Node]
    _failed: dict[Node, float] = field(default_factory=dict)

    @classmethod
    def of(cls, hosts: str) -> "Nodes":
        """Read `host:port,host:port`."""
        pairs = (one.rpartition(":") for one in hosts.split(","))
        return cls([Node(host, int(port)) for host, _, port in pairs])

    def next(self) -> Node:
        """The first one that did not fail a moment ago; if all did, the one whose failure is oldest."""
        now = time.monotonic()
        fresh = (node for node in self.nodes if not self._shunned(node, now))
        return next(fresh, None) or min(self.nodes, key=lambda node: self._failed.get(node, 0.0))

    def failed(self, node: Node) -> bool:
        """Remember a failure; the result says whether another node is left to be tried at once."""
        now = time.monotonic()
        self._failed[node] = now
        return any(not self._shunned(other, now) for other in self.nodes)

    def _shunned(self, node: Node, now: float) -> bool:
        return node in self._failed and now - self._failed[node] < SHUN_SECONDS


def parameters(settings: BrokerSettings, node: Node) -> pika.ConnectionParameters:
    """How to connect to one node: TLS, and time limits for a peer that fell silent. OSError without the CA's file.

    Everything we have sent must be acknowledged by the peer's kernel within the TCP user timeout. Heartbeats make
    sure that there is always something to acknowledge.
    """
    context = ssl.create_default_context(cafile=settings.broker_ca)
    return pika.ConnectionParameters(
        host=node.host,
        port=node.port,
        virtual_host=settings.broker_vhost,
        credentials=pika.PlainCredentials(
            settings.broker_user, settings.broker_password.get_secret_value(), erase_on_connect=False
        ),
        ssl_options=pika.SSLOptions(context, node.host),
        heartbeat=settings.broker_heartbeat_s,
        socket_timeout=settings.broker_connect_timeout_s,
        # TCP, TLS and AMQP together; a node that is starting takes connections before it can serve them.
        stack_timeout=settings.broker_connect_timeout_s * 3,
        connection_attempts=1,
        tcp_options={
            "TCP_USER_TIMEOUT": settings.broker_tcp_user_timeout_ms,
            "TCP_KEEPIDLE": settings.broker_heartbeat_s,
            "TCP_KEEPINTVL": 1,
            "TCP_KEEPCNT": 3,
        },
        client_properties={"connection_name": f"{settings.service_name}@{settings.host_name}"},
    )
