"""Ways to send a message: e-mail by SMTP, and a stand-in for SMS."""

import smtplib
import ssl
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import localtime
from typing import NoReturn, Protocol

import structlog
from tandem_common.problems import Unavailable

from notifications.settings import MailSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Message:
    """A text for one person."""

    id: str
    """Without angle brackets; the same whenever this message is sent again."""
    recipient: str
    subject: str
    text: str
    language: str


class Undeliverable(Exception):
    """This message will never be taken; trying again is useless."""


class Sender(Protocol):
    """Sends messages."""

    def send(self, message: Message) -> None:
        """Hand it over. Raises Undeliverable, or Unavailable (perhaps sent: send it again with its id)."""


@dataclass(frozen=True)
class Smtp:
    """Hands messages to a mail server, one connection each."""

    settings: MailSettings

    def send(self, message: Message) -> None:
        """Hand it over."""
        try:
            mail = _mail(message, self.settings.smtp_from)
        except ValueError as error:
            raise Undeliverable(f"no mail can be sent to this address: {error}") from error
        try:
            with self._server() as server:
                _deliver(server, mail)
        except smtplib.SMTPResponseException as error:
            _refuse(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"The mail server does not answer ({type(error).__name__}).") from error

    def _server(self) -> smtplib.SMTP:
        """A connection, encrypted if wanted."""
        wanted = self.settings
        server = smtplib.SMTP(wanted.smtp_host, wanted.smtp_port, timeout=wanted.smtp_seconds)
        try:
            if wanted.smtp_starttls:
                server.starttls(context=ssl.create_default_context(cafile=wanted.smtp_ca))
        except BaseException:
            server.close()
            raise
        return server


def _deliver(server: smtplib.SMTP, mail: EmailMessage) -> None:
    try:
        server.send_message(mail)
    except smtplib.SMTPNotSupportedError as error:
        raise Undeliverable("the mail server takes no addresses beyond ASCII") from error
    except smtplib.SMTPRecipientsRefused as error:
        [(code, reason)] = error.recipients.values()
        _refuse(code, reason)


def _mail(message: Message, sender: str) -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, message.recipient, message.subject
    mail["Date"], mail["Message-ID"] = localtime(), f"<{message.id}>"
    mail["Content-Language"], mail["Auto-Submitted"] = message.language, "auto-generated"
    mail.set_content(message.text)
    return mail


def _refuse(code: int, reason: bytes | str) -> NoReturn:
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    told = f"the mail server said {code} {text}"
    if 500 <= code < 600:
        raise Undeliverable(told)
    raise Unavailable(told)


class SmsStandIn:
    """Where a provider of SMS would be asked: notes that a message was sent, without its text and its number."""

    def send(self, message: Message) -> None:
        """Log it."""
        log.info("sms", message_id=message.id, characters=len(message.text))
