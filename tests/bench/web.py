"""How fast the shop answers, one way beside the other, on one lab in one run."""

from __future__ import annotations

import json
import re
import secrets
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from lab import Lab
from tests.bench.costs import EVERYTHING, accounts, spent
from tests.bench.processor import limited
from tests.support.instances import processes
from tests.support.load import Load
from tests.support.playbook import ROOT

PROGRAM = (Path(__file__).parent / "openload.py").read_text()
APP, EDGE, USERS = "msk-app1", "msk-edge1", "world"
DOOR_PORT, PRODUCTS_PORTS = 7443, (5010, 5011)
# Each request differs, also from those of an earlier run, so that no cache answers it; services ignore the parameter.
UNCACHED, CACHED = "/products/?size=5&x={run}-{n}", "/products/?size=5"
ROUTER_BACKEND = "route_products"
P99_LIMIT_MS = 100.0
APP_CORES = 0.5
"""What the measured host may use: so little that it is used up first, and not what it shares the machine with."""
RUN_SECONDS = 5
ROUNDS = 3
STATED_RATE = 50.0
CPU_RATE, CPU_SECONDS, CPU_SHOWN = 100.0, 30, 20
"""While processor time is counted: requests a second, for how long, and the least that is printed (µs). Long enough for
what happens only every fifteen seconds to be the same with load and without."""
INSTANCE_MEMORY = r"""
for unit in "$@"; do
  main=${unit#*=}
  cat /proc/$main/smaps_rollup $(pgrep -P $main | sed 's#.*#/proc/&/smaps_rollup#') |
    awk -v unit=${unit%=*} '/^Pss:/ {sum += $2} END {printf "%s %d MiB\n", unit, sum / 1024}'
done"""


@dataclass(frozen=True)
class Way:
    """A way to the shop: from which host, to where, asking for what."""

    title: str
    source: str
    address: str
    ports: tuple[int, ...]
    name: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    tls: dict[str, str] | None = None

    def run(self, lab: Lab, rate: float, seconds: int = RUN_SECONDS) -> dict[str, Any]:
        """Load it at a rate (1/s) and return the figures of openload."""
        config = {
            "address": self.address,
            "ports": self.ports,
            "name": self.name,
            "paths": [self.path.replace("{run}", secrets.token_hex(4))],
            "headers": self.headers,
            "tls": self.tls,
            "rate": rate,
            "seconds": seconds,
        }
        done = lab.run(self.source, ["python3", "-c", PROGRAM, json.dumps(config)], timeout=60)
        done.check_returncode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def keeps_up(self, lab: Lab, rate: float) -> bool:
        """Whether every request at this rate is answered, and 99 % of them within the limit."""
        found = self.run(lab, rate)
        return bool(found["ok"] == found["planned"] and found["p99"] <= P99_LIMIT_MS)

    def capacity(self, lab: Lab) -> float:
        """The highest rate (1/s) that it keeps up with, to about 4 %."""
        low, high = 0.0, 100.0
        while self.keeps_up(lab, high):
            low, high = high, high * 1.5
        while high - low > 0.04 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.keeps_up(lab, middle) else (low, middle)
        return low


def ways(lab: Lab) -> list[Way]:
    """The ways of an uncached request, from the shortest to the whole; all to the two instances of one host."""
    env = lab.env()
    authority = Path(env["ca_file"]).read_text()
    app, edge = (env["hosts"][host]["address"] for host in (APP, EDGE))
    own = "/etc/tandem/tls/haproxy/bundle.pem"
    internal = lab.run(EDGE, ["cat", "/etc/tandem/tls/ca.pem"]).stdout
    door_tls = {"ca": internal, "certificate": own, "key": own}
    return [
        Way("bare gunicorn, from its own host", APP, "127.0.0.1", PRODUCTS_PORTS, "products", UNCACHED),
        Way(
            "through its host's door (mutual TLS)",
            EDGE,
            app,
            (DOOR_PORT,),
            APP,
            UNCACHED,
            {"X-Tandem-Service": "products"},
            door_tls,
        ),
        Way(
            "through NGINX and HAProxy, not cached",
            USERS,
            edge,
            (443,),
            env["public_names"][0],
            UNCACHED,
            tls={"ca": authority},
        ),
    ]


# Tells the router's runtime socket something and prints its answer; hosts have Python, but no socat.
TELL = """
import socket, sys
with socket.socket(socket.AF_UNIX) as router:
    router.connect("/run/haproxy/admin.sock")
    router.sendall(sys.argv[1].encode() + b"\\n")
    router.shutdown(socket.SHUT_WR)
    while block := router.recv(65536):
        sys.stdout.write(block.decode())"""


def tell_router(lab: Lab, command: str) -> str:
    """Give the measured edge's router a command."""
    done = lab.run(EDGE, ["python3", "-c", TELL, command], timeout=30)
    done.check_returncode()
    return str(done.stdout)


@contextmanager
def only_measured_host(lab: Lab) -> Iterator[None]:
    """Have the edge's router send products' requests to the measured host alone, as the other ways do."""
    rows = [line.split() for line in tell_router(lab, "show servers state").splitlines()]
    servers = [f"{row[1]}/{row[3]}" for row in rows if len(row) > 3 and row[1] == ROUTER_BACKEND]
    others = [server for server in servers if not server.endswith(f"/{APP}")]
    if len(others) != len(servers) - 1:
        raise SystemExit(f"the router of {EDGE} has no server {APP} in {ROUTER_BACKEND}: {servers}")
    try:
        for server in others:
            tell_router(lab, f"set server {server} state maint")
        yield
    finally:
        for server in others:
            tell_router(lab, f"set server {server} state ready")


def report_ways(lab: Lab) -> None:
    """Print rate and latency of each way, and the rate as a share of the first's."""
    with only_measured_host(lab), limited(APP, APP_CORES):
        _report_ways(lab)


def _report_ways(lab: Lab) -> None:
    print(f"to both instances of products on {APP}, which has {APP_CORES} of a core:")
    tried = ways(lab)
    # In turns, because the machine's speed changes by the minute.
    rounds = [[way.capacity(lab) for way in tried] for _ in range(ROUNDS)]
    best = [statistics.median(rates) for rates in zip(*rounds, strict=True)]
    for way, rate in zip(tried, best, strict=True):
        stated = way.run(lab, STATED_RATE)
        print(
            f"{way.title:40} {rate:6.0f}/s with p99 <= {P99_LIMIT_MS:.0f} ms ({rate / best[0]:4.0%} of the first); "
            f"at {STATED_RATE:.0f}/s p50 {stated['p50']} ms, p99 {stated['p99']} ms"
        )


def report_cpu(lab: Lab) -> None:
    """Print the processor time of one uncached request by component, on all hosts and beyond what they do at rest."""
    whole = ways(lab)[-1]
    hosts = [host for host, state in lab.status().items() if state.running and host != USERS]
    marks = [accounts(lab, hosts)]
    time.sleep(CPU_SECONDS)
    marks.append(accounts(lab, hosts))
    with only_measured_host(lab):
        count = whole.run(lab, CPU_RATE, CPU_SECONDS)["ok"]
    marks.append(accounts(lab, hosts))
    rest, loaded = (spent(one, other, EVERYTHING) for one, other in pairwise(marks))
    each = {name: (seconds - rest.get(name, 0)) / count * 1e6 for name, seconds in loaded.items()}
    print(f"processor time of one uncached request at {CPU_RATE:.0f}/s: {sum(each.values()):.0f} us")
    for name, microseconds in sorted(each.items(), key=lambda item: -item[1]):
        if microseconds >= CPU_SHOWN:
            print(f"    {name:36} {microseconds:5.0f} us")


def report_saturated(lab: Lab, title: str, path: str) -> None:
    """Print what one edge delivers of one path when it is asked without a pause, by wrk on the users' host."""
    env = lab.env()
    url = f"https://{env['hosts'][EDGE]['address']}{path}"
    # Without a server name in the handshake the Host header chooses the site.
    named = f"Host: {env['public_names'][0]}"
    command = ["wrk", "-t1", "-c32", f"-d{RUN_SECONDS}s", "--latency", "-H", named, url]
    said = lab.run(USERS, command, timeout=60).stdout
    rate, p50, p99 = (
        re.search(pattern, said) for pattern in (r"Requests/sec:\s+(\S+)", r"50%\s+(\S+)", r"99%\s+(\S+)")
    )
    if not (rate and p50 and p99) or "Non-2xx" in said:
        raise SystemExit(f"wrk on {path}: {said}")
    print(f"{title:40} {float(rate[1]):6.0f}/s saturated, p50 {p50[1]}, p99 {p99[1]}")


def page_of(lab: Lab) -> tuple[str, str]:
    """curl's words for the first page of the shop, through the measured edge."""
    env = lab.env()
    name = env["public_names"][0]
    return f"{name}:443:{env['hosts'][EDGE]['address']}", f"https://{name}/en/shop/"


def report_handshakes(lab: Lab) -> None:
    """Print TLS handshakes a second, new and resumed, one after the other."""
    edge = lab.env()["hosts"][EDGE]["address"]
    for title, option in (("new", "-new"), ("resumed", "-reuse")):
        command = ["openssl", "s_time", "-connect", f"{edge}:443", "-time", "3", option]
        said = lab.run(USERS, command, timeout=30).stdout
        found = re.findall(r"(\d+) connections in (\d+) real seconds", said)
        if not found:
            raise SystemExit(f"openssl s_time: {said}")
        count, seconds = found[-1]
        print(f"TLS handshakes, {title:24} {int(count) / int(seconds):6.0f}/s, one client")


def report_checkout(lab: Lab, logs: Path) -> None:
    """Print the latency of whole orders at a stated rate."""
    with Load(lab, logs / "checkout.log", seconds=20, orders=10, reads=0, users=100) as load:
        pass
    ledger = load.ledger
    print(
        f"checkout at 10/s: p50 {ledger.percentile('checkout', 0.5):.0f} ms, "
        f"p99 {ledger.percentile('checkout', 0.99):.0f} ms, {len(ledger.failures())} failures"
    )


def report(lab: Lab) -> None:
    """Measure all; the lab is deployed and nothing else runs."""
    logs = ROOT / ".cache" / "bench"
    lab.run(
        USERS, ["sh", "-c", "command -v wrk || apt-get install -y -qq wrk openssl >/dev/null"], timeout=120
    ).check_returncode()
    report_ways(lab)
    report_cpu(lab)
    report_saturated(lab, "through NGINX and HAProxy, cached", CACHED)
    page = lab.run(USERS, ["curl", "-sk", "--resolve", *page_of(lab)]).stdout
    report_saturated(lab, "static file", re.findall(r'/static/[^"]+[.]css', page)[0])
    report_handshakes(lab)
    report_checkout(lab, logs)
    mains = [f"{name}={pid}" for name, pid in sorted(processes(lab, APP).items()) if name.endswith("@1")]
    print(lab.run(APP, ["sh", "-c", INSTANCE_MEMORY, "memory", *mains], timeout=30).stdout, end="")


if __name__ == "__main__":
    report(Lab())
