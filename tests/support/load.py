"""Put the shop under load from `world` while a test does something to the lab, and read the ledger."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from lab import Lab
from tests.support.ledger import Ledger, check

PROGRAM = (Path(__file__).parent / "shopload.py").read_text()
READY_TIMEOUT = 120.0


def config(lab: Lab, **more: Any) -> dict[str, Any]:
    """What shopload needs to reach the shop."""
    env = lab.env()
    return {
        "name": env["public_names"][0],
        "addresses": list(env["edges"]),
        "ca": Path(env["ca_file"]).read_text(),
        **more,
    }


class Load:
    """Open-loop load in the background: `with Load(lab, seconds=40) as load: ...; ledger = load.ledger`.

    The body starts when the users are registered and the first orders run; leaving it waits for the end.
    """

    def __init__(
        self,
        lab: Lab,
        log: Path,
        seconds: float,
        orders: float = 4.0,
        reads: float = 8.0,
        users: int = 100,
        pages: float = 0.0,
    ) -> None:
        self.lab = lab
        self.log = log
        self.settings = config(
            lab,
            run=f"load-{uuid.uuid4().hex[:8]}",
            seconds=seconds,
            orders_per_second=orders,
            reads_per_second=reads,
            pages_per_second=pages,
            users=users,
        )
        self.ledger = Ledger()

    def __enter__(self) -> Load:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.output = self.log.open("w")
        self.process = self.lab.popen(
            "world",
            ["python3", "-u", "-c", PROGRAM, json.dumps(self.settings)],
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + READY_TIMEOUT
        while '"started"' not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(
                    f"the load did not start; its last lines:\n{self.log.read_text()[-3000:]}"
                )
            time.sleep(0.2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            assert self.process.wait(timeout=self.settings["seconds"] + 120) == 0, self.log.read_text()[
                -3000:
            ]
        else:
            self.process.kill()
        self.output.close()
        self.ledger = Ledger.read(line for line in self.log.read_text().splitlines() if line.startswith("{"))

    def stop(self) -> None:
        """End the load before its time; what is under way is finished."""
        self.lab.run("world", ["touch", f"/run/{self.settings['run']}.stop"]).check_returncode()

    def lost_or_doubled(self) -> list[str]:
        """Ask the shop for every user's orders and compare them with the ledger; [] when all is there once."""
        settings = config(self.lab, verify=self.ledger.emails)
        done = self.lab.run("world", ["python3", "-c", PROGRAM, json.dumps(settings)], timeout=300)
        assert done.returncode == 0, f"orders could not be listed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return check(self.ledger, Ledger.read(done.stdout.splitlines()).orders)

    def summary(self) -> str:
        """One line of figures for the log."""
        ledger = self.ledger
        return (
            f"{len(ledger.acks)} orders acknowledged, {len(ledger.gave_up)} unknown, {len(ledger.failures())} of "
            f"{len(ledger.attempts)} requests failed, write gap {ledger.write_gap():.1f} s, "
            f"checkout p50 {ledger.percentile('checkout', 0.5):.0f} ms "
            f"p99 {ledger.percentile('checkout', 0.99):.0f} ms, "
            f"read p50 {ledger.percentile('read', 0.5):.0f} ms p99 {ledger.percentile('read', 0.99):.0f} ms"
        )
