"""For how long the broker takes and gives no messages at each datacenter under each fault: `make bench-broker`.

Needs a running, converged lab with nothing else to do. Makes a virtual host and a user of its own in the broker and
removes them. Prints the longest gap of any queue over the runs; queues have their leaders on all nodes. Ends with
status 1 if a confirmed message was not delivered.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab import Lab
from tests.support.orderstate import BROKERS
from tests.support.playbook import ROOT, playbook

PROGRAM = (ROOT / "apps/common/bench/probe.py").read_text()
PROBERS = {"msk": "msk-app1", "spb": "spb-app1"}
VHOST = USER = "bench"
QUEUES = 6
PACE_SECONDS = 0.1
BEFORE_SECONDS, HOLD_SECONDS, AFTER_SECONDS = 5, 25, 20
RELEASES = "/opt/tandem/services/orders/releases"


@dataclass(frozen=True)
class Fault:
    """What happens to the broker, and how it is undone; `hold`: seconds in between."""

    name: str
    begin: Callable[[Lab], None]
    end: Callable[[Lab], None]
    hold: float = HOLD_SECONDS


def kill_leader(lab: Lab) -> None:
    """Power off the host that leads the most of the bench's queues."""
    lab.kill(leaders(lab)[0])


def boot_all(lab: Lab) -> None:
    """Power on what is off."""
    for host in BROKERS:
        if not lab.running(host):
            lab.boot(host)
            lab.wait(host)


def rolling_restart(_lab: Lab) -> None:
    """Restart all nodes as an operator does."""
    run = playbook("playbooks/rabbitmq_restart.yml")
    assert run.rc == 0, run.output[-3000:]


def heal(lab: Lab) -> None:
    """Undo all cuts."""
    lab.heal()


FAULTS = [
    Fault("nothing", lambda lab: None, lambda lab: None, hold=5),
    Fault("leader's host killed", kill_leader, boot_all),
    Fault("msk cut", lambda lab: lab.cut("msk"), heal),
    Fault("spb cut", lambda lab: lab.cut("spb"), heal),
    Fault("wit cut", lambda lab: lab.cut("wit"), heal),
    Fault("link msk-spb cut", lambda lab: lab.cut_link("msk", "spb"), heal),
    Fault("link msk-wit cut", lambda lab: lab.cut_link("msk", "wit"), heal),
    Fault("link spb-wit cut", lambda lab: lab.cut_link("spb", "wit"), heal),
    Fault("rolling restart", rolling_restart, lambda lab: None, hold=0),
]


def control(lab: Lab, *words: str) -> str:
    """Run rabbitmqctl on any node that answers."""
    for host in BROKERS:
        done = lab.run(host, ["rabbitmqctl", "-q", *words], timeout=60)
        if done.returncode == 0:
            return str(done.stdout)
    raise SystemExit(f"rabbitmqctl {words[0]} fails on every node: {done.stderr[-500:]}")


def leaders(lab: Lab) -> list[str]:
    """Hosts by the number of the bench's queues that they lead, most first."""
    rows = json.loads(control(lab, "--formatter", "json", "list_queues", "-p", VHOST, "name", "leader"))
    hosts = [row["leader"].partition("@")[2].partition(".")[0] for row in rows]
    return sorted(set(hosts), key=lambda host: -hosts.count(host))


@contextmanager
def access(lab: Lab) -> Iterator[str]:
    """A virtual host and a user who may do anything in it; the password."""
    password = secrets.token_hex(16)
    control(lab, "add_vhost", VHOST, "--default-queue-type", "quorum")
    control(lab, "add_user", USER, password)
    control(lab, "set_permissions", "-p", VHOST, USER, ".*", ".*", ".*")
    try:
        yield password
    finally:
        control(lab, "delete_vhost", VHOST)
        control(lab, "delete_user", USER)


def settings(lab: Lab, host: str, password: str) -> dict[str, Any]:
    """What the shop's own services on the host are told of the broker, with the bench's user."""
    script = "cat /etc/tandem/services/orders-relay/revisions/*/environment"
    text = lab.run(host, ["sh", "-c", script], timeout=20).stdout
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    names = [name for name in told if name.startswith(("BROKER_", "SERVICE_", "HOST_", "SITE", "DATABASE_"))]
    found: dict[str, Any] = {name.lower(): told[name].strip('"').replace('\\"', '"') for name in names}
    found |= {"broker_user": USER, "broker_password": password, "broker_vhost": VHOST, "broker_prefetch": 100}
    found.pop("broker_consumes", None)
    return found


def start(lab: Lab, host: str, config: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a prober; wait until its messages come back."""
    release = lab.run(host, ["sh", "-c", f"ls -d {RELEASES}/*/site | tail -1"], timeout=20).stdout.strip()
    process: subprocess.Popen[str] = lab.popen(
        host,
        ["env", f"PYTHONPATH={release}", "python3", "-c", PROGRAM, json.dumps(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return process


def started(process: subprocess.Popen[str]) -> None:
    """Wait for a prober's word that it has begun."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == '{"started": true}':
            return
    raise SystemExit("a prober did not start")


def run(lab: Lab, fault: Fault, password: str, seconds: float) -> dict[str, dict[str, Any]]:
    """Run a fault between probers at both datacenters; figures by site: the worst of its queues."""
    probers = {}
    for site, host in PROBERS.items():
        queues = [f"{site}-{number}" for number in range(QUEUES)]
        told = settings(lab, host, password)
        config = {"settings": told, "queues": queues, "seconds": seconds, "pace": PACE_SECONDS}
        probers[site] = start(lab, host, config)
    for process in probers.values():
        started(process)
    time.sleep(BEFORE_SECONDS)
    fault.begin(lab)
    time.sleep(fault.hold)
    fault.end(lab)
    found = {}
    for site, process in probers.items():
        assert process.stdout is not None
        by_queue = json.loads(process.stdout.read().splitlines()[-1])
        process.wait()
        found[site] = {
            "publish": max(row["publish"] for row in by_queue.values()),
            "consume": max(row["consume"] for row in by_queue.values()),
            "missing": sum(row["missing"] for row in by_queue.values()),
            "confirmed": sum(row["confirmed"] for row in by_queue.values()),
        }
    return found


def main() -> None:
    """Run the faults and print a line for each run, and the maxima at the end."""
    parser = argparse.ArgumentParser(description="The broker's gaps under faults, on the running lab.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", help="part of a fault's name")
    given = parser.parse_args()
    lab, missing = Lab(), 0
    worst: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    with access(lab) as password:
        for turn in range(1, given.runs + 1):
            for fault in FAULTS:
                if given.only and given.only not in fault.name:
                    continue
                # A restart takes as long as it takes, the load must outlast it.
                length = 150 if fault.hold == 0 else BEFORE_SECONDS + fault.hold + AFTER_SECONDS
                found = run(lab, fault, password, length)
                missing += sum(row["missing"] for row in found.values())
                for site, row in found.items():
                    for what in ("publish", "consume"):
                        worst[fault.name][f"{site} {what}"] = max(
                            worst[fault.name][f"{site} {what}"], row[what]
                        )
                print(f"{turn}. {fault.name:22} {json.dumps(found)}", flush=True)
    print(
        "\nlongest gap (s)        "
        + "  ".join(f"{site} {w}" for site in PROBERS for w in ("publish", "consume"))
    )
    for name, row in worst.items():
        print(
            f"{name:22} "
            + "  ".join(f"{row[f'{s} {w}']:11.1f}" for s in PROBERS for w in ("publish", "consume"))
        )
    print(f"confirmed but not delivered: {missing}")
    if missing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
