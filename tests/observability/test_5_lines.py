"""Lines of log are not lost: while a Loki is away for ten minutes, and beside a host that floods."""

import subprocess
import time
import uuid

import pytest

from tests.support.loki import Loki
from tests.support.observers import observers

OUTAGE = 600
FLOOD_SECONDS, FLOOD_PER_SECOND = 60, 2000
FLOODING = "msk-app2"
ARRIVES = 180
"""Seconds until the last line is there; agents try again every ten."""

# Lines at a steady pace, numbered: arguments are the run, how many, and how many a second.
WRITER = """import sys, time
run, count, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
began = time.monotonic()
for number in range(count):
    time.sleep(max(0, began + number / rate - time.monotonic()))
    print(f"line {number} of run {run}", flush=True)
"""


class Writer:
    """Lines into a host's system journal, as a unit of their own without a limit of their rate."""

    def __init__(self, lab, host, count, per_second):
        self.lab, self.host, self.count, self.run = lab, host, count, uuid.uuid4().hex
        command = ["systemd-run", "--quiet", "--wait", "--collect", "-p", "LogRateLimitIntervalSec=0"]
        command += ["python3", "-c", WRITER, self.run, str(count), str(per_second)]
        self.process = lab.popen(host, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def done(self):
        """Wait until all lines are written."""
        output, _ = self.process.communicate(timeout=OUTAGE + 300)
        assert self.process.returncode == 0, output

    def arrived(self, loki, seconds):
        """How many of its lines a Loki has from the last seconds."""
        return loki.count(f'{{host="{self.host}"}} |= "of run {self.run}"', int(seconds))

    def wait_all(self, loki, began):
        """Wait until a Loki has all of its lines; the seconds that took."""
        started = time.monotonic()
        while (arrived := self.arrived(loki, time.time() - began + 60)) < self.count:
            waited = time.monotonic() - started
            assert waited < ARRIVES, f"{loki.host} has {arrived} of {self.count} lines of {self.host}"
            time.sleep(2)
        assert arrived == self.count, (
            f"{loki.host} has {arrived} lines of {self.host}; {self.count} were written"
        )
        return time.monotonic() - started


@pytest.fixture
def lokis(lab):
    return [Loki(lab, observer.host) for observer in observers(lab)]


def test_a_loki_that_was_away_gets_all_lines(lab, lokis):
    away, other = lokis
    began = time.time()
    writers = [
        Writer(lab, host, (OUTAGE + 20) * 5, 5) for host in ("msk-edge1", "msk-app1", "spb-data1", "wit1")
    ]
    time.sleep(10)
    lab.run(away.host, ["systemctl", "stop", "tandem-loki"], timeout=120).check_returncode()
    try:
        time.sleep(OUTAGE)
    finally:
        lab.run(away.host, ["systemctl", "start", "tandem-loki"], timeout=120).check_returncode()
    for writer in writers:
        writer.done()
    at_once = max(writer.wait_all(other, began) for writer in writers)
    later = max(writer.wait_all(away, began) for writer in writers)
    lines = sum(writer.count for writer in writers)
    print(f"\n{away.host} away for {OUTAGE} s: {lines} lines, all at {other.host} after {at_once:.0f} s")
    print(f"and at {away.host} {later:.0f} s later")


def test_a_flood_on_one_host_loses_nothing_of_the_others(lab, lokis):
    began = time.time()
    flood = Writer(lab, FLOODING, FLOOD_SECONDS * FLOOD_PER_SECOND, FLOOD_PER_SECOND)
    others = [
        host for host, state in lab.status().items() if state.running and host not in (FLOODING, "world")
    ]
    writers = [Writer(lab, host, FLOOD_SECONDS * 2, 2) for host in others]
    for writer in [*writers, flood]:
        writer.done()
    for loki in lokis:
        took = max(writer.wait_all(loki, began) for writer in writers)
        print(
            f"\n{loki.host}: all lines of {len(writers)} hosts after {took:.0f} s; of {flood.count} lines of the flood "
            f"{flood.arrived(loki, time.time() - began)} so far"
        )
