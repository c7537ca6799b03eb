"""A person with a browser buys something: both languages, with and without JavaScript, through each edge.

The walks are those of `make -C apps browser`: they examine every page with axe-core and report console messages, failed
and foreign requests. Screenshots are in .cache/e2e/screenshots.
"""

import base64
import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.playbook import ROOT

TOOLS = ROOT / ".cache" / "browser"
WALKS = [
    ("msk-edge1", "^(buy-..-phone-light|(buy|keyboard|developers)-en-desktop-light|buy-ru-desktop-dark)"),
    ("msk-edge2", "^buy-(en-phone-light$|ru-phone-light-noscript)"),
    ("spb-edge1", "^buy-(en-phone-light$|ru-phone-light-noscript)"),
]


@pytest.fixture(scope="module")
def tools():
    """The walks with what they need, Chromium aside."""
    done = subprocess.run(
        ["make", "-C", "apps", "browser-tools"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pin_of(lab, edge):
    """The hash of an edge's public key: the browser trusts this one only."""
    placed = lab.run(edge, ["cat", "/etc/tandem/tls/edge/certificate.pem"])
    key = x509.load_pem_x509_certificate(placed.stdout.encode()).public_key()
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize(("edge", "walks"), WALKS)
def test_a_person_buys(lab, logs, public_name, tools, edge, walks):
    shots = Path(logs) / "screenshots" / edge
    done = subprocess.run(
        ["node", "check.js", f"https://{public_name}", str(shots), walks],
        cwd=TOOLS,
        env={**os.environ, "ADDRESS": lab.env()["hosts"][edge]["address"], "PIN": pin_of(lab, edge)},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": walked") >= 2, done.stdout
