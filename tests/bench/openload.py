"""Open-loop HTTP load with the standard library only, so that it runs on any lab host: requests start on schedule.

Usage: python3 openload.py CONFIG, where CONFIG is JSON:
  address, ports: where to connect, the ports in turn
  name: the Host header and the name that the certificate is checked for
  paths: asked in turn; `{n}` in them becomes the request's number; headers: more header lines
  rate: requests a second; seconds: length
  tls: null, or {"ca": PEM, "certificate": file or null, "key": file or null}

Prints one JSON object: requests planned, `ok` (answered 2xx), `errors` by kind, and p50, p99 and max of the latency in
milliseconds, counted from the planned start, so that a stall is seen in full.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from typing import Any

ANSWER_SECONDS = 5.0
CONNECTIONS = 256


class Client:
    """Kept connections to one server."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.opened = 0
        self.places = asyncio.Semaphore(CONNECTIONS)
        self.tls = None
        if config["tls"]:
            self.tls = ssl.create_default_context(cadata=config["tls"]["ca"])
            if config["tls"].get("certificate"):
                self.tls.load_cert_chain(config["tls"]["certificate"], config["tls"]["key"])
        lines = [f"Host: {config['name']}", *(f"{k}: {v}" for k, v in config.get("headers", {}).items())]
        self.head = "".join(f"{line}\r\n" for line in lines)
        self.latencies: list[float] = []
        self.errors: Counter[str] = Counter()

    async def one(self, number: int, planned: float) -> None:
        """Send one request and note how long after its planned start the answer was complete."""
        paths = self.config["paths"]
        path = paths[number % len(paths)].replace("{n}", str(number))
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self.places:
                status = await self.exchange(f"GET {path} HTTP/1.1\r\n{self.head}\r\n".encode())
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.errors[type(error).__name__] += 1
            return
        if 200 <= status < 300:
            self.latencies.append(time.monotonic() - planned)
        else:
            self.errors[str(status)] += 1

    async def exchange(self, request: bytes) -> int:
        """Send a request on a kept or a new connection; return the status."""
        if self.idle:
            reader, writer = self.idle.pop()
        else:
            name = self.config["name"] if self.tls else None
            port = self.config["ports"][self.opened % len(self.config["ports"])]
            self.opened += 1
            reader, writer = await asyncio.open_connection(
                self.config["address"], port, ssl=self.tls, server_hostname=name
            )
        keep = False
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await read_body(reader, head)
            keep = "connection: close" not in head
            return int(head.split(" ", 2)[1])
        finally:
            if keep:
                self.idle.append((reader, writer))
            else:
                writer.close()


async def read_body(reader: asyncio.StreamReader, head: str) -> None:
    """Read an answer's body to its end; `head` is in lower case."""
    if "transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
        return
    _, found, rest = head.partition("content-length:")
    if found:
        await reader.readexactly(int(rest.split("\r\n", 1)[0]))


def figure(latencies: list[float], share: float) -> float | None:
    """Latency (ms) at a share (0..1) of the requests."""
    if not latencies:
        return None
    ordered = sorted(latencies)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


async def run(config: dict[str, Any]) -> dict[str, Any]:
    """Start the requests on schedule, wait for all, return the figures."""
    client = Client(config)
    planned = int(config["rate"] * config["seconds"])
    begin = time.monotonic() + 0.05
    tasks = []
    for number in range(planned):
        due = begin + number / config["rate"]
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(client.one(number, due)))
    await asyncio.gather(*tasks)
    return {
        "planned": planned,
        "ok": len(client.latencies),
        "errors": dict(client.errors),
        "p50": figure(client.latencies, 0.5),
        "p99": figure(client.latencies, 0.99),
        "max": figure(client.latencies, 1),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
