"""Measure deploys, the idle lab and how fast the shop answers: `make bench`.

Takes a lab made from nothing; nothing else should run meanwhile.
"""

from __future__ import annotations

import re
import subprocess
import time

from lab import Lab
from tests.bench import web
from tests.bench.machine import cpu_seconds, memory_used
from tests.support.playbook import ROOT, Run, playbook

IDLE_SECONDS = 30
ROLE_LINE = re.compile(r"^(\S+) -+ (\d+\.\d+)s$", re.MULTILINE)


def packages(lab: Lab, hosts: list[str]) -> dict[str, set[str]]:
    """Names of the installed packages by host."""
    query = ["dpkg-query", "-W", "-f", "${Package}\n"]
    return {host: set(lab.run(host, query, timeout=60).stdout.split()) for host in hosts}


def plain_apt(lab: Lab, wanted: dict[str, set[str]]) -> float:
    """Seconds that plain apt needs for the same packages on all hosts side by side, fresh disks."""
    started = time.monotonic()
    script = (
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
    )
    running = [
        lab.popen(
            host,
            ["sh", "-c", script + " ".join(sorted(names))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for host, names in wanted.items()
        if names
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit(f"plain apt failed on a host: {codes}")
    return time.monotonic() - started


def report(title: str, run: Run) -> None:
    """Print a run's time and its roles."""
    print(f"{title}: {run.seconds:.0f} s, rc {run.rc}")
    for role, seconds in ROLE_LINE.findall(run.output):
        if float(seconds) >= 0.5 and role != "total":
            print(f"    {role:40} {seconds:>8} s")
    if run.rc:
        raise SystemExit(run.output[-4000:])


def main() -> None:
    """Run all measurements in turn."""
    lab = Lab()
    lab.down()
    lab.clean()
    before_lab = memory_used()
    started = time.monotonic()
    lab.up()
    print(f"lab up, base cached, fresh disks: {time.monotonic() - started:.1f} s")
    hosts = [host for host in lab.env()["hosts"] if host != "world"]
    base = packages(lab, hosts)
    logs = ROOT / ".cache" / "bench"
    cold = playbook("site.yml", log=logs / "cold.log")
    report("cold deploy", cold)
    report("second run", playbook("site.yml", log=logs / "second.log"))
    time.sleep(10)
    busy, started = cpu_seconds(), time.monotonic()
    time.sleep(IDLE_SECONDS)
    share = (cpu_seconds() - busy) / (time.monotonic() - started)
    print(f"idle lab: {memory_used() - before_lab:.0f} MiB of memory, {share * 100:.0f} % of one core")
    web.report(lab)
    installed = packages(lab, hosts)
    wanted = {host: installed[host] - base[host] for host in hosts}
    lab.reset()
    plain = plain_apt(lab, wanted)
    print(
        f"plain parallel apt of the same packages: {plain:.0f} s; cold deploy is {cold.seconds / plain:.2f} times that"
    )


if __name__ == "__main__":
    main()
