"""The faults that the platform promises to survive, each run under load and judged by the offline checker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import Lab
from tests.support.cluster import primary, standby, wait_settled
from tests.support.load import Load
from tests.support.orderflow import check
from tests.support.orderstate import BROKERS, found, payment_gap, queue_leaders, stock, wait_quiet
from tests.support.playbook import playbook

APP_HOSTS = ("msk-app1", "msk-app2", "spb-app1")
WORKERS = r"/bin/[a-z-]+ (relay|consume)$"


@dataclass(frozen=True)
class Fault:
    """A fault: how it begins and how it is undone, given the lab, the primary and the standby.

    hold: seconds between the two, under load. total: seconds of load.
    promise: seconds without a successful write that profile `fast` allows (docs/postgres.md).
    """

    name: str
    begin: Callable[[Lab, str, str], None]
    end: Callable[[Lab, str, str], None]
    hold: float = 20.0
    total: float = 40.0
    promise: float = 12.0


@dataclass(frozen=True)
class Outcome:
    """What clients saw, and what became of their orders everywhere; times in seconds.

    write_gap: without an acknowledged order. payment_gap: without a payment at the provider, so without a message that
    went through the broker. quiet_after: from the end of the load until every order was final and no message was left.
    """

    fault: str
    primary: str
    contradictions: list[str]
    write_gap: float
    payment_gap: float
    whole_after: float
    quiet_after: float
    summary: str

    def line(self) -> str:
        """The outcome for a table."""
        lost = (
            f"{len(self.contradictions)} CONTRADICTIONS" if self.contradictions else "nothing lost or doubled"
        )
        return (
            f"{self.fault:24} primary {self.primary:10} write gap {self.write_gap:5.1f} s, payment gap "
            f"{self.payment_gap:5.1f} s, whole again {self.whole_after:4.1f} s after healing, orders done "
            f"{self.quiet_after:4.1f} s later, {lost} ({self.summary})"
        )


def site(host: str) -> str:
    """The site in a lab host's name."""
    return host.split("-")[0]


def boot(lab: Lab, host: str) -> None:
    """Power a host on and wait until it answers."""
    lab.boot(host)
    lab.wait(host)


def signal(lab: Lab, host: str, name: str) -> None:
    """Send a signal to every process of a host's Postgres, but not to its keeper."""
    lab.run(host, ["pkill", f"-{name}", "-x", "postgres"], timeout=20).check_returncode()


def switch_over(_lab: Lab, _primary: str, _standby: str) -> None:
    """Move the primary on purpose, as an operator does."""
    run = playbook("playbooks/postgres_switchover.yml")
    assert run.rc == 0, run.output[-3000:]


def kill_queue_leader(lab: Lab, _primary: str, _standby: str) -> None:
    """Power off the broker's host that leads most queues."""
    lab.kill(queue_leaders(lab)[0])


def boot_brokers(lab: Lab, _primary: str, _standby: str) -> None:
    """Power on what is off of the broker's hosts."""
    for host in BROKERS:
        if not lab.running(host):
            boot(lab, host)


def kill_workers(lab: Lab, _primary: str, _standby: str) -> None:
    """Kill every relay and consumer at once, with what they have in hand."""
    for host in APP_HOSTS:
        lab.run(host, ["pkill", "-KILL", "-f", WORKERS], timeout=20).check_returncode()


def heal(lab: Lab, _primary: str, _standby: str) -> None:
    """Undo a fault of the network."""
    lab.heal()


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill-primary", lambda lab, p, s: lab.kill(p), lambda lab, p, s: boot(lab, p)),
        Fault("power-loss-primary", lambda lab, p, s: lab.power_loss(p), lambda lab, p, s: boot(lab, p)),
        Fault(
            "hang-primary", lambda lab, p, s: signal(lab, p, "STOP"), lambda lab, p, s: signal(lab, p, "CONT")
        ),
        Fault("kill-standby", lambda lab, p, s: lab.kill(s), lambda lab, p, s: boot(lab, s)),
        Fault("cut-primary-site", lambda lab, p, s: lab.cut(site(p)), heal),
        Fault("cut-link-datacenters", lambda lab, p, s: lab.cut_link("msk", "spb"), heal),
        Fault("cut-link-primary-witness", lambda lab, p, s: lab.cut_link(site(p), "wit"), heal),
        Fault("cut-link-standby-witness", lambda lab, p, s: lab.cut_link(site(s), "wit"), heal),
        Fault(
            "kill-app-host", lambda lab, p, s: lab.kill("msk-app1"), lambda lab, p, s: boot(lab, "msk-app1")
        ),
        Fault("kill-edge", lambda lab, p, s: lab.kill("msk-edge1"), lambda lab, p, s: boot(lab, "msk-edge1")),
        Fault("switchover", switch_over, lambda lab, p, s: None, hold=5, promise=3.0),
        Fault("kill-queue-leader", kill_queue_leader, boot_brokers),
        Fault("kill-workers", kill_workers, kill_workers, hold=8.0),
        Fault("kill-witness", lambda lab, p, s: lab.kill("wit1"), lambda lab, p, s: boot(lab, "wit1")),
    )
}


def run_fault(lab: Lab, fault: Fault, log: Path) -> Outcome:
    """Run one fault under load and judge it. Raises AssertionError when the platform does not become whole."""
    wait_settled(lab)
    leader, follower = primary(lab), standby(lab)
    before = stock(lab)
    with Load(lab, log, seconds=fault.total) as load:
        time.sleep(5)
        fault.begin(lab, leader, follower)
        time.sleep(fault.hold)
        fault.end(lab, leader, follower)
    whole_after = wait_settled(lab)
    contradictions = load.lost_or_doubled()
    quiet_after = wait_quiet(lab)
    ledger = load.ledger
    contradictions += check({str(ack.order) for ack in ledger.acks}, found(lab, before))
    return Outcome(
        fault.name,
        leader,
        contradictions,
        ledger.write_gap(),
        payment_gap(lab, ledger.started, ledger.planned_end),
        whole_after,
        quiet_after,
        load.summary(),
    )
