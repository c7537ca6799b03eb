"""A host with HAProxy, asked from the host itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

ADDRESS = "10.61.0.103"
ROUTER = "http://127.0.0.1:8080"
LISTENER = "http://127.0.0.2:5000"
DOOR = f"https://{ADDRESS}:7443"
TLS = "/etc/tandem/tls"


class Answer:
    """An HTTP answer as curl shows it."""

    def __init__(self, text: str) -> None:
        head, _, self.body = text.replace("\r\n", "\n").partition("\n\n")
        first, *rest = head.splitlines()
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
        }

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(host: Any, url: str, *options: str) -> Answer:
    """Return the answer to a request made on the host."""
    result = host.run(f"curl --silent --show-error --include --max-time 20 {' '.join(options)} '{url}'")
    assert result.rc == 0, result.stderr
    return Answer(result.stdout)


def as_caller(name: str) -> tuple[str, ...]:
    """Return curl's options for a caller with that name's certificate; the door's name is not checked here."""
    directory = f"{TLS}/haproxy" if name == "m-haproxy" else f"{TLS}/{name}"
    return (f"--cert {directory}/certificate.pem", f"--key {directory}/key.pem", "--insecure")


def runtime(host: Any, command: str) -> str:
    """Give HAProxy a command through its socket."""
    result = host.run(f"echo '{command}' | socat -t 5 - /run/haproxy/admin.sock")
    assert result.rc == 0, result.stderr
    return str(result.stdout)


def wait(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.3)


def servers(host: Any) -> dict[tuple[str, str], dict[str, str]]:
    """Return HAProxy's servers with their statistics by backend and name."""
    lines = runtime(host, "show stat -1 4 -1").splitlines()
    names = lines[0].lstrip("# ").split(",")
    rows = [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]
    return {(row["pxname"], row["svname"]): row for row in rows}


def logged(sudo: Any, text: str, count: int, again: Callable[[], Any] = lambda: None) -> list[dict[str, Any]]:
    """Return the log's entries with a text, when there are so many; journald may be late on a busy machine.

    `again` makes them again: after many thousand lines journald drops what a unit logs in the next half minute.
    """
    for turn in range(90):
        if turn % 20 == 19:
            again()
        found = sudo.run(f"journalctl -t haproxy -o cat --since -1min | grep -F '{text}'").stdout
        if len(lines := found.splitlines()) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.5)
    raise AssertionError(f"{text} is not logged {count} times:\n{found}")
