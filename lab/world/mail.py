"""A mail server that takes everything and keeps it: SMTP on one port, JSON for checkers on another.

Usage: python3 mail.py SMTP_HOST:PORT HTTP_HOST:PORT FILE [CERTIFICATE KEY]. FILE is the SQLite database in which
messages are kept, every delivery as a row of its own. With a certificate it takes mail only after STARTTLS.

GET  /mails[?message_id=ID] -> {mails: [{message_id, sender, recipients, subject, text, received_at}]}, oldest first
POST /mode {mode: normal|unavailable|refuse}: unavailable answers MAIL with 451 (later), refuse answers RCPT with 550
"""

import asyncio
import json
import sqlite3
import ssl
import sys
import time
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

MODES = ("normal", "unavailable", "refuse")
MAX_MESSAGE = 1_000_000
IDLE_SECONDS = 60
TABLE = """
create table if not exists mails (
  id integer primary key, message_id text, sender text not null, recipients text not null, subject text,
  text text not null, received_at real not null)
"""


class Store:
    """The messages, and how the server behaves."""

    def __init__(self, file: str) -> None:
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute(TABLE)
        self._lock = Lock()
        self.mode = "normal"

    def add(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Keep a message."""
        message = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
        row = (message["Message-ID"], sender, json.dumps(recipients), message["Subject"], text, time.time())
        with self._lock:
            self._database.execute(
                "insert into mails (message_id, sender, recipients, subject, text, received_at)"
                " values (?, ?, ?, ?, ?, ?)",
                row,
            )

    def mails(self, message_id: str | None = None) -> list[dict[str, Any]]:
        """All messages, or those with this id."""
        with self._lock:
            rows = self._database.execute(
                "select * from mails where ? is null or message_id = ? order by id", (message_id, message_id)
            ).fetchall()
        return [{**dict(row), "recipients": json.loads(row["recipients"])} for row in rows]


@dataclass
class Conversation:
    """One SMTP client (RFC 5321)."""

    store: Store
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tls: ssl.SSLContext | None
    encrypted: bool = False
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Talk until the client goes."""
        await self._say("220 world ESMTP")
        while True:
            line = await asyncio.wait_for(self.reader.readline(), IDLE_SECONDS)
            if not line:
                return
            word, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if word.upper() == "QUIT":
                await self._say("221 Bye")
                return
            await self._answer(word.upper(), rest)

    async def _answer(self, word: str, rest: str) -> None:
        if word in ("EHLO", "HELO"):
            await self._hello(word)
        elif word == "STARTTLS" and self.tls and not self.encrypted:
            await self._say("220 Go ahead")
            await self.writer.start_tls(self.tls)
            self.encrypted = True
        elif word in ("MAIL", "RCPT", "DATA") and self.tls and not self.encrypted:
            await self._say("530 Must issue a STARTTLS command first")
        elif word == "MAIL":
            await self._mail(rest)
        elif word == "RCPT":
            await self._recipient(rest)
        elif word == "DATA":
            await self._data()
        elif word in ("RSET", "NOOP"):
            self.sender, self.recipients = (None, []) if word == "RSET" else (self.sender, self.recipients)
            await self._say("250 OK")
        else:
            await self._say("502 Command not implemented")

    async def _hello(self, word: str) -> None:
        offers = ["world", "8BITMIME", "SMTPUTF8", f"SIZE {MAX_MESSAGE}"]
        if self.tls and not self.encrypted:
            offers.append("STARTTLS")
        lines = offers if word == "EHLO" else offers[:1]
        await self._say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    async def _mail(self, rest: str) -> None:
        if self.store.mode == "unavailable":
            await self._say("451 Try again later")
            return
        self.sender, self.recipients = _address(rest), []
        await self._say("250 OK")

    async def _recipient(self, rest: str) -> None:
        if self.sender is None:
            await self._say("503 MAIL first")
        elif self.store.mode == "refuse":
            await self._say("550 No such mailbox")
        else:
            self.recipients.append(_address(rest))
            await self._say("250 OK")

    async def _data(self) -> None:
        if self.sender is None or not self.recipients:
            await self._say("503 RCPT first")
            return
        await self._say("354 End with a line that has a dot only")
        lines: list[bytes] = []
        size = 0
        while (line := await asyncio.wait_for(self.reader.readline(), IDLE_SECONDS)) not in (b".\r\n", b""):
            size += len(line)
            if size <= MAX_MESSAGE:
                lines.append(line[1:] if line.startswith(b".") else line)
        if not line:
            return  # the client went away in the middle: nothing was delivered
        if size > MAX_MESSAGE:
            await self._say("552 Too large")
            return
        self.store.add(self.sender, self.recipients, b"".join(lines))
        self.sender, self.recipients = None, []
        await self._say("250 Kept")

    async def _say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()


def _address(rest: str) -> str:
    """The address in `FROM:<a@b> SIZE=9`."""
    return rest.partition("<")[2].partition(">")[0]


class Handler(BaseHTTPRequestHandler):
    """HTTP for checkers."""

    store: Store

    def do_GET(self) -> None:
        """The messages."""
        where = urlsplit(self.path)
        if where.path != "/mails":
            self._send(404, {"reason": "no such path"})
            return
        wanted = parse_qs(where.query).get("message_id", [None])[0]
        self._send(200, {"mails": self.store.mails(wanted)})

    def do_POST(self) -> None:
        """How to behave."""
        try:
            mode = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))["mode"]
        except (ValueError, KeyError, TypeError):
            mode = None
        if self.path != "/mode" or mode not in MODES:
            self._send(422, {"reason": f"POST /mode with a mode of {', '.join(MODES)}"})
            return
        self.store.mode = mode
        self._send(200, {"mode": mode})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: checkers ask for the list."""


def place(text: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = text.rpartition(":")
    return host, int(port)


async def smtp(store: Store, where: tuple[str, int], tls: ssl.SSLContext | None) -> asyncio.Server:
    """A mail server that takes connections."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Conversation(store, reader, writer, tls).run()
        except (ConnectionError, TimeoutError, asyncio.LimitOverrunError, ValueError):
            pass  # a client that went away, or that is not one
        finally:
            writer.close()

    return await asyncio.start_server(converse, *where)


def lists(store: Store, where: tuple[str, int]) -> ThreadingHTTPServer:
    """A server of lists that is bound but does not run yet."""
    server = ThreadingHTTPServer(where, type("StoreHandler", (Handler,), {"store": store}))
    server.daemon_threads = True
    return server


async def serve(arguments: list[str]) -> None:
    """Serve until the process ends."""
    smtp_place, http_place, file, *certificate = arguments
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    store = Store(file)
    Thread(target=lists(store, place(http_place)).serve_forever, daemon=True).start()
    server = await smtp(store, place(smtp_place), tls)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
