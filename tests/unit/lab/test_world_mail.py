"""The lab's mail server, asked by Python's own client."""

import asyncio
import json
import smtplib
import threading
import urllib.request
from email.message import EmailMessage

import pytest

from lab.world.mail import Store, lists, smtp


class Sink:
    """A running mail server."""

    def __init__(self, folder):
        self.store = Store(str(folder / "mail.sqlite"))
        self.http = lists(self.store, ("127.0.0.1", 0))
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(smtp(self.store, ("127.0.0.1", 0), None))
        self.port = self.server.sockets[0].getsockname()[1]
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)

    def ask(self, path, body=None):
        url = f"http://127.0.0.1:{self.http.server_port}{path}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=5) as answer:
            return json.load(answer)

    def send(self, message):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as client:
            client.send_message(message)


@pytest.fixture
def sink(tmp_path):
    sink = Sink(tmp_path)
    yield sink
    sink.stop()


def mail(recipient="ann@example.org", text="Hello\n", message_id="<paid.1@tandem.test>"):
    message = EmailMessage()
    message["From"], message["To"] = "shop@tandem.test", recipient
    message["Subject"], message["Message-ID"] = "Заказ оформлен", message_id
    message.set_content(text)
    return message


def test_a_message_is_kept_as_it_was_sent(sink):
    sink.send(mail(text="Привет\n.a line with a dot\n..two\n"))
    [kept] = sink.ask("/mails")["mails"]
    assert kept["message_id"] == "<paid.1@tandem.test>"
    assert kept["recipients"] == ["ann@example.org"]
    assert (kept["sender"], kept["subject"]) == ("shop@tandem.test", "Заказ оформлен")
    assert kept["text"].splitlines() == ["Привет", ".a line with a dot", "..two"]


def test_every_delivery_counts(sink):
    sink.send(mail())
    sink.send(mail())
    sink.send(mail(message_id="<paid.2@tandem.test>"))
    assert len(sink.ask("/mails")["mails"]) == 3
    assert len(sink.ask("/mails?message_id=%3Cpaid.1@tandem.test%3E")["mails"]) == 2


def test_several_messages_on_one_connection(sink):
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=5) as client:
        client.send_message(mail())
        client.rset()
        client.send_message(mail("bob@example.org"))
        assert client.noop()[0] == 250
        assert client.docmd("EXPN x")[0] == 502
        assert client.docmd("DATA")[0] == 503
    assert [one["recipients"] for one in sink.ask("/mails")["mails"]] == [
        ["ann@example.org"],
        ["bob@example.org"],
    ]


def test_it_can_be_away_or_refuse(sink):
    assert sink.ask("/mode", {"mode": "unavailable"}) == {"mode": "unavailable"}
    with pytest.raises(smtplib.SMTPSenderRefused) as later:
        sink.send(mail())
    assert later.value.smtp_code == 451
    sink.ask("/mode", {"mode": "refuse"})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        sink.send(mail())
    assert [code for code, _ in refused.value.recipients.values()] == [550]
    assert sink.ask("/mails")["mails"] == []


def test_too_much_is_refused(sink):
    with pytest.raises(smtplib.SMTPResponseException):
        sink.send(mail(text="x" * 70 + "\n" + ("y" * 70 + "\n") * 20_000))
    assert sink.ask("/mails")["mails"] == []
