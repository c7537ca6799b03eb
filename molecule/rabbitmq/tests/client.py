"""A client of the broker, run on a host by the tests: `python3 - COMMAND JSON`. Prints JSON."""

# Runs with Debian's pika, which the checkout does not have.
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pika

Options = dict[str, Any]


def parameters(options: Options, host: str) -> Any:
    """How to connect to one node."""
    context = ssl.create_default_context(cafile="/etc/tandem/tls/ca.pem")
    return pika.ConnectionParameters(
        host=host,
        port=5671,
        virtual_host="tandem",
        credentials=pika.PlainCredentials(options["user"], options["password"]),
        ssl_options=pika.SSLOptions(context, host),
        heartbeat=4,
        blocked_connection_timeout=10,
        tcp_options={"TCP_USER_TIMEOUT": 2000},
        socket_timeout=3,
        stack_timeout=4,
        connection_attempts=1,
    )


def connect(options: Options) -> Any:
    """A connection to the first node that gives one."""
    failure: Exception = RuntimeError("no hosts")
    for host in options["hosts"]:
        try:
            return pika.BlockingConnection(parameters(options, host))
        except (pika.exceptions.AMQPError, OSError) as error:
            failure = error
    raise failure


def attempt(options: Options) -> str:
    """Do one thing; `ok`, or what the broker said."""
    try:
        with connect(options) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            if options["do"] == "publish":
                channel.basic_publish(options["exchange"], options.get("key", ""), b"x", mandatory=True)
            elif options["do"] == "get":
                channel.basic_get(options["queue"], auto_ack=True)
            elif options["do"] == "declare":
                channel.queue_declare(options["queue"], durable=True, arguments={"x-queue-type": "quorum"})
            elif options["do"] == "delete":
                channel.queue_delete(options["queue"])
    except (pika.exceptions.AMQPError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def publish(options: Options) -> dict[str, Any]:
    """Publish numbers, confirmed one by one, until the file `stop` is there; the confirmed ones and the longest gap."""
    confirmed: list[int] = []
    number, gap, last = 0, 0.0, time.monotonic()
    connection = channel = None
    while not Path(options["stop"]).exists():
        try:
            if channel is None:
                connection = connect(options)
                channel = connection.channel()
                channel.confirm_delivery()
            number += 1
            channel.basic_publish(options["exchange"], "", str(number).encode(), mandatory=True)
        except (pika.exceptions.AMQPError, OSError):
            channel = None
            time.sleep(0.1)
            continue
        confirmed.append(number)
        gap, last = max(gap, time.monotonic() - last), time.monotonic()
        time.sleep(0.05)
    return {"confirmed": confirmed, "gap": gap}


def drain(options: Options) -> list[str]:
    """Take everything out of a queue."""
    taken = []
    with connect(options) as connection:
        channel = connection.channel()
        while True:
            method, _, body = channel.basic_get(options["queue"])
            if method is None:
                return taken
            channel.basic_ack(method.delivery_tag)
            taken.append(body.decode())


if __name__ == "__main__":
    print(
        json.dumps(
            {"attempt": attempt, "publish": publish, "drain": drain}[sys.argv[1]](json.loads(sys.argv[2]))
        )
    )
