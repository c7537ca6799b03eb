"""What the machine as a whole uses."""

from __future__ import annotations

import re
from pathlib import Path


def cpu_seconds() -> float:
    """Busy seconds of all cores since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + softirq) / 100


def memory_used() -> float:
    """Mebibytes in use on the machine, caches not counted."""
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE))
    return (int(fields["MemTotal"]) - int(fields["MemAvailable"])) / 1024
