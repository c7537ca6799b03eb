"""No credential reaches a log line."""

import io
import json
import logging
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from tandem_common import logs
from tandem_common.redaction import HIDDEN, Redaction
from tandem_common.settings import ServiceSettings
from tandem_common.tokens import Issuer, read_private_key

PASSWORD = "kD8s'0x!q\\Zw2é7P"
PEM = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbG9uZ2VyIHRoYW4g
b25lIGxpbmUgb2YgYmFzZTY0IHRleHQgc28gdGhhdCBsaW5lcyBtYXR0ZXI=
-----END PRIVATE KEY-----
"""
JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZy1lbm91Z2g"


@pytest.fixture
def redaction():
    return Redaction([PASSWORD + "\n", PEM])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("{'Authorization': 'Bearer abc.def-123'}", "abc.def-123"),
        ("authorization=Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNz"),
        ("X-API-Key: 0123456789abcdef", "0123456789abcdef"),
        (f"refused {JWT} today", "eyJ"),
        (f"refused {JWT[:50]}", "eyJ"),
        ("host=a,b user=orders password=hunter2 sslmode=verify-full", "hunter2"),
        ("host=a password='hunter 2 more' user=orders", "hunter 2"),
        ("PGPASSWORD=hunter2", "hunter2"),
        ("amqps://orders:hunter2@msk-data1:5671/tandem", "hunter2"),
        ("postgresql://orders:hun%40ter2@a,b/orders", "hun%40ter2"),
        ("{'refresh_token': 'opaque value', 'user': 1}", "opaque value"),
        ('{"client_secret": "opaque \\" value"}', "opaque"),
        ("Cookie: __Host-access=opaquevalue", "opaquevalue"),
        (PEM, "MIGHAgEA"),
        (repr(PEM), "MIGHAgEA"),
        (PEM[:70], "MIGHAgEA"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text, kept):
    hidden = Redaction().text(text)
    assert kept not in hidden
    assert HIDDEN in hidden


def test_what_is_beside_a_credential_stays():
    found = Redaction().text("connection to host=a user=orders password=hunter2 dbname=orders failed")
    assert found == f"connection to host=a user=orders password={HIDDEN} dbname=orders failed"
    assert Redaction().text("amqps://orders:hunter2@msk-data1:5671/tandem") == (
        f"amqps://orders:{HIDDEN}@msk-data1:5671/tandem"
    )
    assert Redaction().text("Authorization: Bearer abc.def-123") == f"Authorization: Bearer {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    [
        "refresh token used again: its family ends",
        "the token has expired",
        "http://127.0.0.2:5010/products/1?page=2",
        "order-processing 10:20:30 status=200",
        "/users/.well-known/jwks.json",
        "-----BEGIN PUBLIC KEY-----",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    ],
)
def test_ordinary_texts_stay(redaction, text):
    assert redaction.text(text) == text


@pytest.mark.parametrize("form", [str, repr, lambda text: repr({"a": text}), lambda text: f"x{text}y"])
def test_own_credentials_are_hidden_in_every_form(redaction, form):
    hidden = redaction.text(form(PASSWORD))
    assert "kD8s" not in hidden
    assert HIDDEN in hidden


def test_each_line_of_a_key_is_hidden(redaction):
    for line in PEM.splitlines()[1:-1]:
        assert line not in redaction.text(f"could not read {line}")


def test_short_ones_are_no_credentials():
    assert Redaction(["", "a", "short"]).text("a short text") == "a short text"


def test_the_longer_of_two_credentials_goes_first():
    assert Redaction(["abcdefgh", "abcdefgh-ijkl"]).text("x abcdefgh-ijkl y") == f"x {HIDDEN} y"


def test_records_of_any_shape(redaction):
    class Odd:
        def __repr__(self) -> str:
            return f"Odd(password={PASSWORD!r})"

    record = {
        "event": f"failed with {PASSWORD}",
        "password": "x",
        "status": 500,
        "deep": {"list": [PASSWORD, 1, None, {"api_key": "k"}], "odd": Odd()},
        "secret": SecretStr("hunter2"),
        "pair": (PASSWORD, True),
    }
    shown = json.dumps(redaction(None, "info", record))
    assert "kD8s" not in shown
    assert "hunter2" not in shown
    assert json.loads(shown)["password"] == HIDDEN
    assert json.loads(shown)["status"] == 500
    assert json.loads(shown)["deep"]["list"][1:] == [1, None, {"api_key": HIDDEN}]


# --- through the whole of logging


@pytest.fixture
def lines(tmp_path, monkeypatch, capsys):
    """Configured as a service is; gives what was written since the last call, as text and parsed."""
    (tmp_path / "database_password").write_text(PASSWORD)
    (tmp_path / "jwt_key").write_text(PEM)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    before = sys.excepthook, threading.excepthook
    logs.configure(ServiceSettings(service_name="things", host_name="h", site="msk"))
    out = io.StringIO()
    logging.getLogger().handlers[0].setStream(out)  # pytest changes sys.stdout before the test itself
    yield lambda: [json.loads(line) for line in _written(out.getvalue(), capsys.readouterr().err)]
    sys.excepthook, threading.excepthook = before
    logging.captureWarnings(capture=False)
    structlog.contextvars.clear_contextvars()


def _written(out, error):
    for secret in ("kD8s", "MIGHAgEA", "hunter2"):
        assert secret not in out + error
    return [*out.splitlines(), *error.splitlines()]


def _fail():
    raise RuntimeError(f"could not connect: password={PASSWORD} and {PEM}")


def test_arguments_messages_and_tracebacks(lines):
    log = structlog.get_logger("a")
    log.info(f"with {PASSWORD}", dsn="password=hunter2", key=PEM, token="x")
    logging.getLogger("library").warning("failed for %s: %r", PASSWORD, {"Authorization": "Bearer hunter2"})
    try:
        _fail()
    except RuntimeError as error:
        log.error("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
    found = lines()
    assert len(found) == 4
    assert "_fail" in found[2]["exception"]
    assert "_fail" in found[3]["exception"]


def test_what_ends_the_process_or_a_thread_is_a_line(lines):
    try:
        _fail()
    except RuntimeError:
        sys.excepthook(*sys.exc_info())
    thread = threading.Thread(target=_fail, name="worker")
    thread.start()
    thread.join()
    process, ended = lines()
    assert (process["event"], process["level"]) == ("the process ends", "critical")
    assert (ended["event"], ended["thread"]) == ("a thread ends", "worker")
    assert HIDDEN in process["exception"]
    assert HIDDEN in ended["exception"]


def test_warnings_are_lines(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"password={PASSWORD}", stacklevel=1)
    (line,) = lines()
    assert line["level"] == "warning"
    assert HIDDEN in line["event"]


def test_a_line_that_can_not_be_made_shows_nothing(lines, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:1])  # pytest's own would raise
    logging.getLogger("library").error("%d", PASSWORD)
    (line,) = lines()
    assert line["event"] == "a log line could not be made"
    assert line["logger"] == "library"


def test_a_signed_token_is_hidden(lines):
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    issuer = Issuer(read_private_key(pem.decode()), issuer="i", audience="a", lifetime_seconds=60)
    token = issuer.issue(SimpleNamespace(hex="u"))
    structlog.get_logger("a").info("got", text=f"see {token}")
    (line,) = lines()
    assert line["text"] == f"see {HIDDEN}"


# --- what lines are about


def test_lines_say_what_they_are_about(lines):
    logs.about(user_id=12, order_id=None, request_id="x" * 500)
    structlog.get_logger("a").info("done")
    (line,) = lines()
    assert (line["service"], line["host"], line["site"], line["level"]) == ("things", "h", "msk", "info")
    assert line["user_id"] == "12"
    assert len(line["request_id"]) == logs.LONGEST_ID
    assert "order_id" not in line
