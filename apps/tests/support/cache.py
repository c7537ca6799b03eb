"""A throw-away Valkey with TLS and users, from the installed Debian package (Redis where there is no Valkey)."""

import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import valkey
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.postgres import _free_port

PASSWORD = "only-for-tests"
# As the role writes them.
COMMANDS = (
    "+@string +@hash +@list +@set +@sortedset +@transaction +@connection"
    " +del +exists +expire +expireat +persist +pexpire +pexpireat +pttl +touch +ttl +type +unlink"
    " -@admin -@blocking -@dangerous"
)
USERS = ("products", "trial")


@dataclass
class CacheServer:
    """A server that listens on 127.0.0.1, TLS only."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["CacheServer"]:
        """Make one, and remove it afterwards."""
        server = cls(Path(tempfile.mkdtemp(prefix="apps-cache-")), _free_port())
        try:
            server._make_certificate()
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        acl = ["user default reset off", f"user root reset on >{PASSWORD} ~* &* +@all"]
        acl += [
            f"user {name} reset on >{PASSWORD} ~{name}:* resetchannels -@all {COMMANDS}" for name in USERS
        ]
        (self.folder / "users.acl").write_text("\n".join([*acl, ""]))
        options = {
            "bind": "127.0.0.1",
            "port": 0,
            "tls-port": self.port,
            "tls-cert-file": self.folder / "certificate.pem",
            "tls-key-file": self.folder / "key.pem",
            "tls-ca-cert-file": self.folder / "certificate.pem",
            "tls-auth-clients": "no",
            "aclfile": self.folder / "users.acl",
            "dir": self.folder,
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([_program(), *words], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, as when it crashes; what it held is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Takes connections, but answers nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def client(self, user: str = "root") -> "valkey.Valkey":
        """A patient client."""
        return valkey.Valkey(
            host="localhost",
            port=self.port,
            username=user,
            password=PASSWORD,
            ssl=True,
            ssl_ca_certs=str(self.folder / "certificate.pem"),
            ssl_check_hostname=True,
            socket_timeout=10,
        )

    def empty(self) -> None:
        """Remove all keys."""
        with self.client() as client:
            client.flushall()

    def settings(self, user: str = "trial") -> dict[str, Any]:
        """What a service is told."""
        return {
            "valkey_host": "localhost",
            "valkey_port": self.port,
            "valkey_user": user,
            "valkey_password": PASSWORD,
            "valkey_ca": str(self.folder / "certificate.pem"),
            # A busy machine is not what most tests are about.
            "valkey_answer_ms": 5000,
            "valkey_connect_ms": 5000,
        }

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except valkey.ConnectionError:
            return False

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
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
        (self.folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))


def _program() -> str:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise RuntimeError("Valkey's server is missing: apt-get install valkey-server, or redis-server")
    return found
