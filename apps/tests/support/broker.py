"""A throw-away RabbitMQ of one node, from the installed Debian package, with TLS and a catalog's objects."""

import base64
import hashlib
import ipaddress
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pika
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pika.adapters.blocking_connection import BlockingChannel
from tandem_common.events.failures import DEAD, DELAYS
from tandem_common.events.nodes import Node, parameters
from tandem_common.settings import BrokerSettings

from support.postgres import _free_port

PASSWORD = "only-for-tests"
VHOST = "tandem"
ADMINISTRATOR = "tests"
START_SECONDS = 180
"""Some seconds where nothing else runs; it has much code to load."""
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
SAFE = {"dead-letter-strategy": "at-least-once", "overflow": "reject-publish"}
DELAY_MILLISECONDS = dict(zip(DELAYS, (50, 100, 150, 200, 250), strict=True))
"""Much shorter than the platform's, whose names they have."""


@dataclass(frozen=True)
class Plan:
    """What services publish and consume, as a catalog would say it."""

    publishes: Mapping[str, Sequence[str]]
    """Events by service."""
    consumes: Mapping[str, Sequence[str]]
    """Events by service."""
    max_length: int = 10_000

    def queues(self) -> list[str]:
        return [f"{service}:{event}" for service, events in self.consumes.items() for event in events]

    def definitions(self) -> dict[str, Any]:
        """All objects, as RabbitMQ imports them."""
        events = [event for published in self.publishes.values() for event in published]
        retries = [f"retry:{delay}" for delay in DELAYS]
        queues = self.queues()
        everyone = sorted({*self.publishes, *self.consumes})
        return {
            "vhosts": [{"name": VHOST}],
            "users": [_user(name) for name in [*everyone, ADMINISTRATOR]],
            "permissions": [
                *(self._permission(name) for name in everyone),
                _permission(ADMINISTRATOR, ".*", ".*", ".*"),
            ],
            "exchanges": [
                *(_exchange(name, "fanout") for name in [*events, *retries]),
                _exchange(DEAD, "direct"),
            ],
            "queues": [_queue(name) for name in [*queues, *(f"{name}:{DEAD}" for name in queues), *retries]],
            "bindings": [
                *(_binding(name.partition(":")[2], name) for name in queues),
                *(_binding(DEAD, f"{name}:{DEAD}", name) for name in queues),
                *(_binding(name, name) for name in retries),
            ],
            "policies": [
                *(_policy(name, self._consumer_policy(name)) for name in queues),
                *(_policy(f"{name}:{DEAD}", {"overflow": "reject-publish"}) for name in queues),
                *(
                    _policy(f"retry:{delay}", {"message-ttl": ttl, "dead-letter-exchange": "", **SAFE})
                    for delay, ttl in DELAY_MILLISECONDS.items()
                ),
            ],
        }

    def _consumer_policy(self, queue: str) -> dict[str, Any]:
        return {
            "dead-letter-exchange": DEAD,
            "dead-letter-routing-key": queue,
            "delivery-limit": 20,
            "max-length": self.max_length,
            **SAFE,
        }

    def _permission(self, service: str) -> dict[str, str]:
        own = [f"{service}:{event}" for event in self.consumes.get(service, ())]
        writes = [*self.publishes.get(service, ()), *([DEAD, *(f"retry:{d}" for d in DELAYS)] if own else [])]
        reads = [name for queue in own for name in (queue, f"{queue}:{DEAD}")]
        return _permission(service, "^$", _only(writes), _only(reads))


PLAN = Plan(
    publishes={
        # The shared package's own tests.
        "things": ["thing.made", "thing.sold", "thing.lost"],
        # The shop.
        "users": ["user.registered", "user.logged_in", "user.login_failed"],
        "orders": ["order.created", "order.cancelled"],
        "order-processing": ["order.paid", "order.packed", "order.shipped", "order.rejected"],
    },
    consumes={
        "keeper": ["thing.made", "thing.sold"],
        "watcher": ["thing.made"],
        "orders": ["order.paid", "order.packed", "order.shipped", "order.rejected"],
        "order-processing": ["order.created", "order.cancelled"],
        "notifications": ["order.paid", "order.shipped", "order.rejected", "user.registered"],
        "audit": [
            *("user.registered", "user.logged_in", "user.login_failed", "order.created", "order.cancelled"),
            *("order.paid", "order.packed", "order.shipped", "order.rejected"),
        ],
    },
)
"""Of all tests; `thing.lost` has no queue on purpose."""


@dataclass
class Broker:
    """A running node that listens on localhost, with TLS only."""

    folder: Path
    plan: Plan
    port: int = field(default_factory=_free_port)
    _epmd_port: int = field(default_factory=_free_port)
    _distribution_port: int = field(default_factory=_free_port)
    _epmd: "subprocess.Popen[bytes] | None" = None
    _server: "subprocess.Popen[bytes] | None" = None

    @classmethod
    @contextmanager
    def started(cls, plan: Plan) -> Iterator["Broker"]:
        """Make one, and remove it afterwards."""
        if not (PROGRAMS / "rabbitmq-server").exists():
            raise RuntimeError("RabbitMQ is missing: apt-get install rabbitmq-server")
        broker = cls(Path(tempfile.mkdtemp(prefix="apps-rabbitmq-")), plan)
        try:
            broker._configure()
            broker._start_epmd()
            broker.start()
            yield broker
        finally:
            broker.kill()
            if broker._epmd is not None:
                broker._epmd.kill()
                broker._epmd.wait()
            shutil.rmtree(broker.folder, ignore_errors=True)

    @classmethod
    @contextmanager
    def unstarted(cls) -> Iterator["Broker"]:
        """Only the files of one: its authority signed nobody else."""
        broker = cls(Path(tempfile.mkdtemp(prefix="apps-rabbitmq-")), PLAN)
        try:
            broker._configure()
            yield broker
        finally:
            shutil.rmtree(broker.folder)

    # --- processes

    def start(self) -> None:
        """Start the node and wait until it serves."""
        with (self.folder / "log").open("ab") as log:
            self._server = self._spawn([str(PROGRAMS / "rabbitmq-server")], log)
        deadline = time.monotonic() + START_SECONDS
        while not self._serves():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ does not start: {(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """All its processes at once, as when the power goes."""
        if self._server is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()
        self._server = None

    def signal(self, number: signal.Signals) -> None:
        """Stop or continue all its processes."""
        assert self._server is not None
        os.killpg(self._server.pid, number)

    def _start_epmd(self) -> None:
        with (self.folder / "epmd.log").open("ab") as log:
            command = ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            self._epmd = self._spawn(command, log)

    def _spawn(self, command: list[str], log: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=_account(),
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Makes the script become the node, instead of being its parent.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": f"apps{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/environment",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _serves(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    # --- files

    def _configure(self) -> None:
        self._make_certificate()
        (self.folder / "definitions.json").write_text(json.dumps(self.plan.definitions()))
        lines = [
            "listeners.tcp = none",
            f"listeners.ssl.1 = 127.0.0.1:{self.port}",
            f"ssl_options.cacertfile = {self.folder}/ca.pem",
            f"ssl_options.certfile = {self.folder}/certificate.pem",
            f"ssl_options.keyfile = {self.folder}/key.pem",
            "ssl_options.verify = verify_none",
            f"load_definitions = {self.folder}/definitions.json",
            "disk_free_limit.absolute = 50MB",
            "",
        ]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines))
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "environment").write_text("")
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        self.folder.chmod(0o755)
        for path in [self.folder, *self.folder.iterdir()]:
            _give_to_rabbitmq(path)
        (self.folder / "ca.pem").chmod(0o644)

    def _make_certificate(self) -> None:
        """A certificate for localhost that is its own authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self.folder / "ca.pem").write_bytes(pem)
        (self.folder / "certificate.pem").write_bytes(pem)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "key.pem").write_bytes(private)

    # --- what services are told, and what tests look at

    def settings(self, user: str, *, retries: int = 5) -> dict[str, Any]:
        """A service's settings."""
        consumes = {
            event: {"queue": f"{user}:{event}", "retries": retries}
            for event in self.plan.consumes.get(user, ())
        }
        return {
            "broker_hosts": f"localhost:{self.port}",
            "broker_user": user,
            "broker_password": PASSWORD,
            "broker_vhost": VHOST,
            "broker_ca": str(self.folder / "ca.pem"),
            "broker_publishes": ",".join(self.plan.publishes.get(user, ())),
            "broker_consumes": consumes,
        }

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """A channel that may do everything, with confirms."""
        given = BrokerSettings(database_dsn="dbname=none", **self.settings(ADMINISTRATOR))
        connection = pika.BlockingConnection(parameters(given, Node("localhost", self.port)))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel
        finally:
            if connection.is_open:
                connection.close()

    def count(self, queue: str) -> int:
        """Messages that are ready in a queue."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def put(self, queue: str, body: bytes, **properties: Any) -> None:
        """Put a message right into a queue."""
        with self.channel() as channel:
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2, **properties))

    def take(self, queue: str, seconds: float = 60) -> tuple[pika.BasicProperties, bytes]:
        """Take a message out of a queue; wait for it."""
        deadline = time.monotonic() + seconds
        with self.channel() as channel:
            while time.monotonic() < deadline:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is not None and properties is not None and body is not None:
                    return properties, body
                time.sleep(0.02)
        raise AssertionError(f"nothing came to {queue}")

    def empty(self) -> None:
        """Remove all messages."""
        with self.channel() as channel:
            for queue in self.plan.definitions()["queues"]:
                channel.queue_purge(queue["name"])


def _account() -> str | None:
    """Which user the node runs as."""
    return "rabbitmq" if os.getuid() == 0 else None


def _give_to_rabbitmq(path: Path) -> None:
    if os.getuid() == 0:
        entry = pwd.getpwnam("rabbitmq")
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _only(names: Sequence[str]) -> str:
    return f"^({'|'.join(name.replace('.', '[.]') for name in names)})$" if names else "^$"


def _user(name: str) -> dict[str, Any]:
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + PASSWORD.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }


def _permission(user: str, configure: str, write: str, read: str) -> dict[str, str]:
    return {"user": user, "vhost": VHOST, "configure": configure, "write": write, "read": read}


def _exchange(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": VHOST,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "arguments": {},
    }


def _queue(name: str) -> dict[str, Any]:
    arguments = {"x-queue-type": "quorum"}
    return {"name": name, "vhost": VHOST, "durable": True, "auto_delete": False, "arguments": arguments}


def _binding(exchange: str, queue: str, routing_key: str = "") -> dict[str, Any]:
    return {
        "vhost": VHOST,
        "source": exchange,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": routing_key,
        "arguments": {},
    }


def _policy(queue: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    pattern = f"^{queue.replace('.', '[.]')}$"
    return {
        "vhost": VHOST,
        "name": queue,
        "pattern": pattern,
        "apply-to": "queues",
        "priority": 1,
        "definition": definition,
    }
