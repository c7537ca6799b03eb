"""What seeing everything costs the running lab at rest: `make bench-observability`. Nothing else should run meanwhile.

Processors: each component's share of a core by its units' own accounts, and the difference that all of them together
make to the machine, for which they are stopped and started again. Memory: each host with and without them.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from lab import Lab
from tests.bench.machine import cpu_seconds

SECONDS = 60
OBSERVING = re.compile(
    r"(promtail@.+|tandem-(loki|prometheus|alertmanager|fact-.+|(\w+-)+exporter)|grafana-server)\.(service|timer)"
)
EVERYTHING = re.compile(".+")
# Of each unit: microseconds of processor time so far, and memory (KiB, shared pages counted by their share).
ACCOUNTS = """import json, re
from pathlib import Path
units = {}
for file in Path("/sys/fs/cgroup/system.slice").rglob("*.service/cpu.stat"):
    units[file.parent.name] = [int(file.read_text().split()[1]), 0]
for process in Path("/proc").glob("[0-9]*"):
    try:
        unit = re.search(r"([^/]+\\.service)$", (process / "cgroup").read_text(), re.M)
        pages = re.search(r"^Pss: +([0-9]+)", (process / "smaps_rollup").read_text(), re.M)
    except (OSError, ValueError):
        continue
    if unit and pages and unit[1] in units:
        units[unit[1]][1] += int(pages[1])
print(json.dumps(units))
"""

Accounts = dict[str, dict[str, tuple[int, int]]]
"""By host and unit: processor time (µs) and memory (KiB)."""


def accounts(lab: Lab, hosts: list[str]) -> Accounts:
    """Read the accounts of all hosts side by side."""

    def of(host: str) -> dict[str, tuple[int, int]]:
        done = lab.run(host, ["python3", "-c", ACCOUNTS], timeout=60)
        done.check_returncode()
        return {unit: (used, memory) for unit, (used, memory) in json.loads(done.stdout).items()}

    with ThreadPoolExecutor() as pool:
        return dict(zip(hosts, pool.map(of, hosts), strict=True))


def component(unit: str) -> str:
    """The component that a unit belongs to."""
    name = unit.rpartition(".")[0].partition("@")[0]
    return "tandem-platform-exporter" if name.startswith("tandem-fact-") else name


def spent(before: Accounts, after: Accounts, units: re.Pattern[str]) -> dict[str, float]:
    """Processor time (s) of all hosts by component, of those units whose names match."""
    seconds: dict[str, float] = defaultdict(float)
    for host, of_host in after.items():
        for unit, (now, _) in of_host.items():
            if units.fullmatch(unit):
                seconds[component(unit)] += (now - before[host].get(unit, (0, 0))[0]) / 1e6
    return seconds


def busy() -> float:
    """The machine's share of a core."""
    began, at = cpu_seconds(), time.monotonic()
    time.sleep(SECONDS)
    return (cpu_seconds() - began) / (time.monotonic() - at)


def each(lab: Lab, hosts: list[str], verb: str, units: dict[str, list[str]]) -> None:
    """Start or stop units on all hosts side by side."""

    def one(host: str) -> None:
        if units[host]:
            lab.run(host, ["systemctl", verb, *units[host]], timeout=180).check_returncode()

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, hosts))


def observing(lab: Lab, host: str) -> list[str]:
    """The units of a host that observe and run."""
    command = ["systemctl", "list-units", "--plain", "--no-legend", "--state=active", "--type=service,timer"]
    done = lab.run(host, command, timeout=60)
    done.check_returncode()
    return [unit for line in done.stdout.splitlines() if OBSERVING.fullmatch(unit := line.split()[0])]


def main() -> None:
    """Measure and print."""
    lab = Lab()
    hosts = [host for host, state in lab.status().items() if state.running and host != "world"]
    units = {host: observing(lab, host) for host in hosts}
    before = accounts(lab, hosts)
    at = time.monotonic()
    whole = busy()
    after = accounts(lab, hosts)
    took = time.monotonic() - at
    shares = {name: seconds / took for name, seconds in spent(before, after, OBSERVING).items()}
    each(lab, hosts, "stop", units)
    try:
        time.sleep(5)
        without = busy()
    finally:
        each(lab, hosts, "start", units)
    print("at rest, by component, of one core:")
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"    {name:32} {share:6.3f}")
    print(f"    {'these together':32} {sum(shares.values()):6.3f}")
    print(
        f"the machine with them {whole:.2f}, without {without:.2f}: all of it {whole - without:.2f} of one core"
    )
    print("memory by host, MiB: what observes, and all other units")
    for host in hosts:
        observes = sum(memory for unit, (_, memory) in after[host].items() if OBSERVING.fullmatch(unit))
        total = sum(memory for _, memory in after[host].values())
        print(f"    {host:12} {observes / 1024:6.0f} {(total - observes) / 1024:6.0f}")


if __name__ == "__main__":
    main()
