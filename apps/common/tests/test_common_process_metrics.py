"""A process shows its figures where it sees of /proc only itself, as under the platform's units."""

import time
from pathlib import Path

from prometheus_client import CollectorRegistry
from tandem_common.process_metrics import OwnProcess


def test_figures_without_the_time_of_the_boot(tmp_path):
    (tmp_path / "self").symlink_to("/proc/self")
    registry = CollectorRegistry()
    OwnProcess(proc=str(tmp_path), registry=registry)
    assert registry.get_sample_value("process_cpu_seconds_total") > 0
    assert registry.get_sample_value("process_resident_memory_bytes") > 1_000_000
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / 100
    assert abs(registry.get_sample_value("process_start_time_seconds") - started) < 2
