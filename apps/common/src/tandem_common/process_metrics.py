"""The figures of the process itself: processor, memory, start, open files."""

import time

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector


class OwnProcess(ProcessCollector):
    """Figures of this process, also where it sees nothing of `/proc` but processes (systemd's `ProcSubset=pid`).

    The library's own collector reads the time of the boot from `/proc/stat` and shows nothing without it.
    """

    def _boot_time(self) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def add_process_metrics(registry: CollectorRegistry) -> None:
    """Show the process and its interpreter in a registry."""
    OwnProcess(registry=registry)
    PlatformCollector(registry=registry)
