"""What more consumers bring, and how instances follow a queue: `make bench-autoscale`.

Needs a running, converged lab with nothing else to do. The consumer is `order-processing`; the payment provider takes
half a second for each payment, so that the consumers wait and the machine's two cores are not what is measured. First
1, 2 and 4 instances on one host, started by hand; then the controllers of all hosts, from a full queue to rest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab import Lab
from lab.outside import PAYMENTS_PORT
from tests.support.instances import processes
from tests.support.load import Load
from tests.support.orderstate import outside, queued, wait_quiet
from tests.support.playbook import ROOT, playbook

SERVICE, QUEUE = "order-processing", "order-processing:order.created"
HOSTS = ("msk-app1", "msk-app2", "spb-app1")
PAYMENT_SECONDS = 0.5
COUNTS = (1, 2, 4)
MEASURED_SECONDS, SETTLE_SECONDS = 20, 6
ORDERS_PER_SECOND = 8.0
AUTOSCALE = {"max": max(COUNTS), "metric": "queue_length", "per_instance": 10}
POOL = 3
"""Connections of an instance to the database: with more, the most instances would need more than Postgres has."""
REST_SECONDS = 900
"""Until all hosts are at the least again: one instance goes after two minutes of rest, then the next."""
LOGS = ROOT / ".cache" / "bench"


def systemctl(lab: Lab, host: str, *arguments: str) -> None:
    """Start or stop units of a host."""
    lab.run(host, ["systemctl", *arguments], timeout=120).check_returncode()


def provider_mode(lab: Lab, mode: str, seconds: float) -> None:
    """Tell the payment provider how to behave."""
    url = f"http://{lab.env()['hosts']['world']['address']}:{PAYMENTS_PORT}/mode"
    body = json.dumps({"mode": mode, "seconds": seconds})
    lab.run("world", ["curl", "-sf", "-d", body, url], timeout=30).check_returncode()


def payments(lab: Lab) -> int:
    """Payments that the provider has made so far."""
    return len(outside(lab, PAYMENTS_PORT, "payments"))


def running(lab: Lab) -> dict[str, int]:
    """Instances of the consumer by host."""

    def count(host: str) -> int:
        return sum(name.startswith(f"{SERVICE}@") for name in processes(lab, host))

    with ThreadPoolExecutor() as pool:
        return dict(zip(HOSTS, pool.map(count, HOSTS), strict=True))


def order(lab: Lab, seconds: float) -> None:
    """Place orders for some seconds."""
    with Load(
        lab, LOGS / "autoscale-load.log", seconds=seconds, orders=ORDERS_PER_SECOND, reads=0, users=100
    ):
        pass


@contextmanager
def by_hand(lab: Lab) -> Iterator[None]:
    """Without the controllers, and with one instance on one host only."""
    for host in HOSTS:
        systemctl(lab, host, "stop", "tandem-autoscale.timer", "tandem-autoscale.service")
        systemctl(lab, host, "stop", *(f"{SERVICE}@{number}" for number in range(1, max(COUNTS) + 1)))
    try:
        systemctl(lab, HOSTS[0], "start", f"{SERVICE}@1")
        yield
    finally:
        for number in range(2, max(COUNTS) + 1):
            systemctl(lab, HOSTS[0], "stop", f"{SERVICE}@{number}")
        for host in HOSTS:
            systemctl(lab, host, "start", f"{SERVICE}@1", "tandem-autoscale.timer")


def report_counts(lab: Lab) -> None:
    """Print payments a second by number of instances, and each figure beside the first."""
    first = 0.0
    for count in COUNTS:
        for number in range(1, count + 1):
            systemctl(lab, HOSTS[0], "start", f"{SERVICE}@{number}")
        time.sleep(SETTLE_SECONDS)
        before, at = payments(lab), time.monotonic()
        time.sleep(MEASURED_SECONDS)
        rate = (payments(lab) - before) / (time.monotonic() - at)
        left = queued(lab)[QUEUE]
        if not left:
            raise SystemExit(f"the queue ran empty with {count} instances: nothing was measured")
        first = first or rate
        print(f"{count} instances: {rate:5.1f} orders/s, {rate / first:.1f} times one; {left} orders wait")


def report_controllers(lab: Lab, ordered: Callable[[], bool]) -> None:
    """Print each change of the number of instances while orders come, until all is at rest again after them."""
    began, seen, emptied = time.monotonic(), None, None
    while time.monotonic() - began < REST_SECONDS:
        now, length = running(lab), queued(lab)[QUEUE]
        at = time.monotonic() - began
        if now != seen:
            print(f"    {at:5.0f} s: {sum(now.values())} instances {now}, {length} messages in the queue")
            seen = now
        if ordered() and not length and emptied is None:
            print(f"    {at:5.0f} s: the queue is empty")
            emptied = at
        if emptied is not None and set(now.values()) == {1}:
            return
        time.sleep(2)
    raise SystemExit(f"not at rest after {REST_SECONDS} s: {running(lab)}")


def deploy(title: str, *arguments: str) -> None:
    """Deploy, with what differs from the inventory."""
    run = playbook("site.yml", *arguments, log=LOGS / "autoscale-deploy.log")
    print(f"{title}: {run.seconds:.0f} s")
    if run.rc:
        raise SystemExit(run.output[-4000:])


def main() -> None:
    """Measure, print, and leave the lab as it was."""
    lab = Lab()
    changes = {"autoscale": AUTOSCALE, "database": {"pool": POOL}}
    override = {"services_override": {SERVICE: changes}}
    deploy("deploy with autoscale", "-e", json.dumps(override))
    provider_mode(lab, "slow", PAYMENT_SECONDS)
    try:
        with by_hand(lab):
            order(lab, 45)
            report_counts(lab)
        print(f"the controllers, {AUTOSCALE}:")
        with ThreadPoolExecutor() as pool:
            ordering = pool.submit(order, lab, 30)
            report_controllers(lab, ordering.done)
        ordering.result()
    finally:
        provider_mode(lab, "normal", PAYMENT_SECONDS)
    print(f"all orders finished {wait_quiet(lab):.0f} s later")
    deploy("deploy without")


if __name__ == "__main__":
    main()
