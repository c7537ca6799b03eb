"""Messages to buyers: what is said, to whom, and how often."""

import ipaddress
import socket
import ssl
import string
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from notifications.models import Base
from notifications.orders import UnknownUser
from notifications.senders import Message, SmsStandIn, Smtp, Undeliverable
from notifications.texts import LANGUAGES, TEXTS
from support.desk import DOMAIN, step
from support.drift import drift
from support.world import mailbox
from tandem_common.events import Reject
from tandem_common.problems import Unavailable


def readable(text):
    return text.replace("\xa0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("kind", "language", "subject", "expected"),
    [
        ("paid", "en", "is paid", ["Hello Ann", " Enamel mug: ₽1,380.00", "Total: ₽1,380.00"]),
        ("paid", "ru", "оплачен", ["Здравствуйте, Ann!", " Enamel mug: 1 380,00 ₽"]),
        ("shipped", "en", "is on its way", ["Number of the parcel: TND1"]),
        ("shipped", "ru", "в пути", ["Номер посылки: TND1"]),
        ("rejected", "en", "could not be completed", ["was sold out meanwhile"]),
        ("rejected", "ru", "не удалось выполнить", ["распродали"]),
    ],
)
def test_mails(desk, kind, language, subject, expected):
    order = step(desk.user(language))
    desk.tell(f"order.{kind}", order)
    [mail] = desk.mailbox.mails()
    assert mail["message_id"] == f"<{kind}.{order['order_id']}@{DOMAIN}>"
    assert (mail["recipients"], mail["sender"]) == (["ann@example.org"], f"shop@{DOMAIN}")
    assert subject in mail["subject"]
    assert order["order_id"][:8].upper() in mail["subject"]
    for text in expected:
        assert text in readable(mail["text"])
    assert desk.rows("select message_id, order_id, kind from mails") == [
        (mail["message_id"], order["order_id"], kind)
    ]


def test_a_refused_payment_is_said_to_be_one(desk):
    desk.tell("order.rejected", step(desk.user(), reason="payment_refused"))
    assert "the payment" in desk.mailbox.mails()[0]["text"]


def test_an_event_that_comes_again_sends_nothing(desk):
    order = step(desk.user())
    for _ in range(3):
        desk.tell("order.paid", order)
    assert len(desk.mailbox.mails()) == 1


def test_a_mail_that_was_not_noted_is_sent_again_with_its_id(desk, monkeypatch):
    """The process ends between the mail and the commit."""
    order = step(desk.user())
    monkeypatch.setattr("notifications.orders._write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        desk.tell("order.paid", order)
    monkeypatch.undo()
    desk.tell("order.paid", order)
    ids = [mail["message_id"] for mail in desk.mailbox.mails()]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert desk.rows("select count(*) from mails") == [(1,)]


def test_an_order_that_overtakes_its_buyer_waits(desk):
    user_id = str(uuid.uuid4())
    order = step(user_id)
    with pytest.raises(UnknownUser):
        desk.tell("order.paid", order)
    desk.tell("user.registered", {"user_id": user_id, "email": "bob@example.org", "name": "Bob"})
    desk.tell("order.paid", order)
    assert [mail["recipients"] for mail in desk.mailbox.mails()] == [["bob@example.org"]]


@pytest.mark.parametrize(("given", "kept"), [("ru-RU", "ru"), ("RU", "ru"), ("de", "en"), ("", "en")])
def test_languages(desk, given, kept):
    desk.user(given)
    assert desk.rows("select language from users") == [(kept,)]


def test_a_user_who_is_told_again_is_kept_once(desk):
    user_id = desk.user()
    desk.tell("user.registered", {"user_id": user_id, "email": "new@example.org", "name": "Ann", "more": 1})
    assert desk.rows("select email from users") == [("new@example.org",)]


def test_sms_to_whom_has_a_phone(desk):
    order = step(desk.user("ru", phone="+70000000000"))
    for kind in ("paid", "shipped", "shipped"):
        desk.tell(f"order.{kind}", order)
    [sms] = desk.sms.sent
    assert sms.recipient == "+70000000000"
    assert "посылка TND1" in sms.text
    assert sms.id == f"shipped.sms.{order['order_id']}@{DOMAIN}"
    assert len(desk.mailbox.mails()) == 2


def test_the_stand_in_logs_neither_text_nor_number(capsys, caplog):
    SmsStandIn().send(Message("shipped.sms.1@x", "+70000000000", "s", "secret text", "en"))
    logged = capsys.readouterr().out + caplog.text
    assert "shipped.sms.1@x" in logged
    assert "+7000" not in logged
    assert "secret" not in logged


def test_a_mail_server_that_is_away_is_tried_again(desk):
    order = step(desk.user())
    desk.mailbox.behave("unavailable")
    with pytest.raises(Unavailable):
        desk.tell("order.paid", order)
    desk.mailbox.behave("normal")
    desk.tell("order.paid", order)
    assert len(desk.mailbox.mails()) == 1


@pytest.mark.parametrize("silent", [True, False])
def test_no_mail_server(desk, silent):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()
        more = {"smtp_port": listener.getsockname()[1], "smtp_seconds": 0.3}
        sender = Smtp(desk.settings.model_copy(update=more))
        with pytest.raises(Unavailable):
            sender.send(Message("a@b", "ann@example.org", "s", "t", "en"))


def test_a_recipient_that_does_not_exist_goes_to_the_dead_letters(desk):
    order = step(desk.user())
    desk.mailbox.behave("refuse")
    with pytest.raises(Reject, match="550"):
        desk.tell("order.paid", order)


@pytest.mark.parametrize("email", ["ann\n@example.org", "ann@example.org\r\nBcc: all@example.org"])
def test_nothing_gets_into_the_headers(desk, email):
    order = step(desk.user(email=email))
    with pytest.raises(Reject):
        desk.tell("order.paid", order)
    assert desk.mailbox.mails() == []


def test_names_are_only_text(desk):
    desk.tell("order.paid", step(desk.user(name="{total} Ann\nTotal: 0 {x}")))
    assert "Hello {total} Ann" in desk.mailbox.mails()[0]["text"]


def test_without_starttls_nothing_is_sent_where_it_is_wanted(desk):
    sender = Smtp(desk.settings.model_copy(update={"smtp_starttls": True}))
    with pytest.raises(Unavailable):
        sender.send(Message("a@b", "ann@example.org", "s", "t", "en"))
    assert desk.mailbox.mails() == []


@pytest.fixture
def certificate(tmp_path):
    """Files of a certificate for 127.0.0.1 that is its own authority, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "mail.pem", tmp_path / "mail.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def test_starttls(desk, certificate, tmp_path_factory):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    message = Message("a@b", "ann@example.org", "s", "t", "en")
    with mailbox(tmp_path_factory.mktemp("tls"), tls) as box:
        told = {"smtp_port": box.port, "smtp_starttls": True}
        for more in ({"smtp_starttls": False}, {"smtp_ca": None}):
            with pytest.raises((Unavailable, Undeliverable)):
                Smtp(desk.settings.model_copy(update={**told, **more})).send(message)
        assert box.mails() == []
        Smtp(desk.settings.model_copy(update={**told, "smtp_ca": certificate[0]})).send(message)
        assert len(box.mails()) == 1


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_text_with_the_same_placeholders():
    shapes = [{name: placeholders(text) for name, text in TEXTS[language].items()} for language in LANGUAGES]
    assert shapes[0]
    assert all(shape == shapes[0] for shape in shapes)


def test_migrations_lead_to_the_models(notifications_database):
    assert drift(notifications_database, "notifications", Base.metadata) == []
