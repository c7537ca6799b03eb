"""Publish and consume through the shop's own broker connection, and tell how long each was impossible.

Runs on an application host with a release's packages on PYTHONPATH; tests/bench/broker.py starts it. Usage:
python3 probe.py CONFIG, where CONFIG is JSON: settings (of BrokerSettings), queues (made if they are not there; the
prober's own), seconds, pace (seconds between two messages to a queue).

Prints {"started": true} when messages come back through every queue, and at the end per queue: `publish` and `consume`,
the longest time (s) without a confirm and without a delivery; `confirmed`, and `missing`: confirmed, never delivered.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pika
from tandem_common.events.connection import BrokerConnection
from tandem_common.events.nodes import Nodes, parameters
from tandem_common.events.publishing import Outgoing, Result
from tandem_common.settings import BrokerSettings

MOST_IN_FLIGHT = 100
# As the shop's relay has it.
CONFIRM_SECONDS = 10.0
DRAIN_SECONDS = 60.0
READY_SECONDS = 60.0


class Probe:
    """One publisher and one consumer, each with a connection, over some queues."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.queues: list[str] = config["queues"]
        self.seconds, self.pace = float(config["seconds"]), float(config["pace"])
        settings = BrokerSettings(**config["settings"])
        self._declare(settings)
        self.publisher = BrokerConnection(settings)
        self.consumer = BrokerConnection(settings, self.queues)
        self.confirms: dict[str, list[float]] = defaultdict(list)
        self.deliveries: dict[str, list[float]] = defaultdict(list)
        self.confirmed: set[tuple[str, int]] = set()
        self.delivered: set[tuple[str, int]] = set()
        self.flying: dict[str, int] = dict.fromkeys(self.queues, 0)
        self.done = threading.Event()

    def _declare(self, settings: BrokerSettings) -> None:
        nodes = Nodes.of(settings.broker_hosts).nodes
        connection = pika.BlockingConnection([parameters(settings, node) for node in nodes])
        for name in self.queues:
            connection.channel().queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        connection.close()

    def run(self) -> dict[str, dict[str, Any]]:
        """Publish for the time, wait until everything has come, and return the figures by queue."""
        self.publisher.start()
        self.consumer.start()
        threading.Thread(target=self._consume, daemon=True).start()
        self._publish_until(lambda: all(self.deliveries[name] for name in self.queues), READY_SECONDS)
        print(json.dumps({"started": True}), flush=True)
        began = time.monotonic()
        self._publish_until(lambda: False, self.seconds)
        ended = time.monotonic()
        self._settle()
        self.done.set()
        return {name: self._figures(name, began, ended) for name in self.queues}

    def _publish_until(self, reached: Any, seconds: float) -> None:
        end, heard = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end and not reached():
            if self.publisher.wait_until_up(self.pace):
                for name in self.queues:
                    self._publish(name)
            if self._outcomes(self.pace) or not self.publisher.up:
                heard = time.monotonic()
            elif time.monotonic() - heard > CONFIRM_SECONDS:
                self.publisher.leave_node("no confirms")
                heard = time.monotonic()

    def _publish(self, name: str) -> None:
        if self.flying[name] >= MOST_IN_FLIGHT:
            return
        token = (name, time.monotonic_ns())
        properties = pika.BasicProperties(message_id=f"{name}-{token[1]}", delivery_mode=2)
        self.flying[name] += 1
        self.publisher.send([Outgoing(token, "", name, str(token[1]).encode(), properties)])

    def _outcomes(self, seconds: float) -> bool:
        """Take the outcomes that come within the time; True if anything was confirmed."""
        end, confirmed = time.monotonic() + seconds, False
        while (left := end - time.monotonic()) > 0:
            try:
                outcome = self.publisher.outcomes.get(timeout=left)
            except queue.Empty:
                break
            name = outcome.token[0]
            self.flying[name] -= 1
            if outcome.result is Result.CONFIRMED:
                confirmed = True
                self.confirmed.add(outcome.token)
                self.confirms[name].append(time.monotonic())
        return confirmed

    def _consume(self) -> None:
        while not self.done.is_set():
            try:
                delivery = self.consumer.deliveries.get(timeout=0.5)
            except queue.Empty:
                continue
            self.delivered.add((delivery.queue, int(delivery.body)))
            self.deliveries[delivery.queue].append(time.monotonic())
            self.consumer.acknowledge(delivery)

    def _settle(self) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < end and (any(self.flying.values()) or self.confirmed - self.delivered):
            self._outcomes(0.5)

    def _figures(self, name: str, began: float, ended: float) -> dict[str, Any]:
        confirmed = {token for token in self.confirmed if token[0] == name}
        return {
            "publish": longest(self.confirms[name], began, ended),
            "consume": longest(self.deliveries[name], began, ended),
            "confirmed": len(confirmed),
            "missing": len(confirmed - self.delivered),
        }


def longest(moments: list[float], began: float, ended: float) -> float:
    """Longest time between two moments, counted from the beginning and to the end."""
    inside = [began, *(moment for moment in moments if began <= moment <= ended), ended]
    return round(max(later - earlier for earlier, later in pairwise(inside)), 2)


if __name__ == "__main__":
    print(json.dumps(Probe(json.loads(sys.argv[1])).run()), flush=True)
