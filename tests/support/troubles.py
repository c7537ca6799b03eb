"""Troubles of the lab, each with the alert that tells of it: how it begins, how it ends, what fires and where."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab import Lab
from tests.support.cluster import primary
from tests.support.faults import boot
from tests.support.playbook import ROOT

EDGE, BROKER, APP = "msk-edge2", "spb-data1", "msk-app2"
WORKER = "orders-events@1.service"
BALLAST = "/var/tmp/ballast"
CERTIFICATE = "/etc/tandem/tls/haproxy/certificate.pem"
AUTHORITY = ROOT / "inventories/lab/.secrets/ca"


@dataclass(frozen=True)
class Trouble:
    """A trouble and its alert.

    begin and end: how it comes and goes, given the lab and its place. place: a host or a site; None is the primary.
    told: the alert's name. label: which of its labels names the place. stale: when it is over, others may be told what
    a site that was cut off had seen meanwhile (docs/alerts.md).
    """

    name: str
    told: str
    place: str | None
    begin: Callable[[Lab, str], None]
    end: Callable[[Lab, str], None]
    label: str = "host"
    stale: bool = False

    def where(self, lab: Lab) -> str:
        """Where it happens now."""
        return self.place or primary(lab)


def run(lab: Lab, host: str, *command: str) -> None:
    """Run a command that must succeed."""
    lab.run(host, list(command), timeout=60).check_returncode()


def fill(lab: Lab, host: str) -> None:
    """Leave 5 % of a host's disk."""
    size, free = (
        int(word) for word in lab.run(host, ["df", "-B1", "--output=size,avail", "/"]).stdout.split()[-2:]
    )
    run(lab, host, "fallocate", "-l", str(free - size // 20), BALLAST)


def shorten(lab: Lab, host: str) -> None:
    """Put a certificate of the same name and key in a certificate's place that ends in two days; nothing loads it."""
    run(lab, host, "cp", "-p", CERTIFICATE, f"{CERTIFICATE}.kept")
    lab.run(
        host, ["tee", CERTIFICATE], input=ending(lab.run(host, ["cat", CERTIFICATE]).stdout)
    ).check_returncode()


def ending(certificate: str) -> str:
    """A PEM certificate like this one, signed by the lab's authority, that ends in two days."""
    old = x509.load_pem_x509_certificate(certificate.encode())
    key = serialization.load_pem_private_key((AUTHORITY / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.datetime.now(datetime.UTC)
    new = x509.CertificateBuilder(
        old.issuer,
        old.subject,
        old.public_key(),
        x509.random_serial_number(),
        now,
        now + datetime.timedelta(days=2),
    )
    for extension in old.extensions:
        new = new.add_extension(extension.value, extension.critical)
    return new.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


TROUBLES = (
    Trouble("primary's host lost", "HostDown", None, lambda lab, host: lab.kill(host), boot),
    Trouble(
        "a node of the broker stopped",
        "RabbitmqNodeDown",
        BROKER,
        lambda lab, host: run(lab, host, "systemctl", "stop", "tandem-rabbitmq"),
        lambda lab, host: run(lab, host, "systemctl", "start", "tandem-rabbitmq"),
    ),
    Trouble("an edge lost", "HostDown", EDGE, lambda lab, host: lab.kill(host), boot),
    Trouble(
        "a datacenter cut off",
        "SiteDown",
        "msk",
        lambda lab, place: lab.cut(place),
        lambda lab, _: lab.heal(),
        label="site",
        stale=True,
    ),
    Trouble(
        "a disk at 95 %", "FilesystemAlmostFull", APP, fill, lambda lab, host: run(lab, host, "rm", BALLAST)
    ),
    Trouble(
        "a worker stopped",
        "InstancesMissing",
        APP,
        lambda lab, host: run(lab, host, "systemctl", "stop", WORKER),
        lambda lab, host: run(lab, host, "systemctl", "start", WORKER),
    ),
    Trouble(
        "a certificate near its end",
        "CertificateEndsIn3Days",
        APP,
        shorten,
        lambda lab, host: run(lab, host, "mv", f"{CERTIFICATE}.kept", CERTIFICATE),
    ),
)
