"""Hosts: for each resource how much is used, what waits for it, and errors."""

from __future__ import annotations

from dashboards import units
from dashboards.boards import names
from dashboards.model import Board, Query, Row
from dashboards.panels import DOWN, UP, at_most, logs, series, states, table
from dashboards.variables import HOST, SITE

THIS = 'host=~"$host",site=~"$site"'
FILES = f'{THIS},fstype!~"tmpfs|ramfs"'
DISKS = f'{THIS},device!~"loop.*|ram.*|dm-.*"'
LINKS = f'{THIS},device!="lo"'


def rate(metric: str, labels: str, by: str = "host") -> str:
    """A counter's rate, summed up."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


STATE = Row(
    "Hosts",
    (
        states(
            "Answers",
            "Whether the host's node exporter could be asked.",
            Query(f'max by (host) (up{{job="node",{THIS}}})', "{{host}}"),
            words=(DOWN, UP),
            links=(names.HOST_LOGS,),
        ),
        table(
            "Up since",
            "Seconds since the host started.",
            units.SECONDS,
            Query(f"time() - max by (site, host) (node_boot_time_seconds{{{THIS}}})"),
            height=6,
        ),
    ),
)

PROCESSOR = Row(
    "Processors",
    (
        series(
            "Used",
            "Busy share.",
            units.SHARE,
            Query(
                f'1 - avg by (host) (rate(node_cpu_seconds_total{{mode="idle",{THIS}}}[$__rate_interval]))',
                "{{host}}",
            ),
            most=1,
            steps=at_most(0.8, 0.95),
        ),
        series(
            "Waiting",
            "Programs that run or wait, per processor (load of a minute).",
            units.COUNT,
            Query(
                f"max by (host) (node_load1{{{THIS}}})"
                f' / count by (host) (node_cpu_seconds_total{{mode="idle",{THIS}}})',
                "{{host}}",
            ),
            steps=at_most(1, 2),
        ),
        series(
            "Waiting for disks, taken by the hypervisor",
            "Share of the processors' time.",
            units.SHARE,
            Query(
                f'avg by (host, mode) (rate(node_cpu_seconds_total{{mode=~"iowait|steal",{THIS}}}[$__rate_interval]))',
                "{{host}} {{mode}}",
            ),
        ),
    ),
)

MEMORY = Row(
    "Memory",
    (
        series(
            "Used",
            "Share that programs could not get.",
            units.SHARE,
            Query(
                f"1 - max by (host) (node_memory_MemAvailable_bytes{{{THIS}}})"
                f" / max by (host) (node_memory_MemTotal_bytes{{{THIS}}})",
                "{{host}}",
            ),
            most=1,
            steps=at_most(0.85, 0.95),
        ),
        series(
            "Available",
            "In bytes.",
            units.BYTES,
            Query(f"max by (host) (node_memory_MemAvailable_bytes{{{THIS}}})", "{{host}}"),
        ),
        series(
            "Swap in use",
            "What does not fit.",
            units.BYTES,
            Query(
                f"max by (host) (node_memory_SwapTotal_bytes{{{THIS}}})"
                f" - max by (host) (node_memory_SwapFree_bytes{{{THIS}}})",
                "{{host}}",
            ),
        ),
    ),
)

DISK = Row(
    "Disks",
    (
        series(
            "Space used",
            "Share of each file system.",
            units.SHARE,
            Query(
                f"1 - max by (host, mountpoint) (node_filesystem_avail_bytes{{{FILES}}})"
                f" / max by (host, mountpoint) (node_filesystem_size_bytes{{{FILES}}})",
                "{{host}} {{mountpoint}}",
            ),
            most=1,
            steps=at_most(0.8, 0.9),
        ),
        series(
            "Inodes used",
            "Share of each file system.",
            units.SHARE,
            Query(
                f"1 - max by (host, mountpoint) (node_filesystem_files_free{{{FILES}}})"
                f" / max by (host, mountpoint) (node_filesystem_files{{{FILES}}})",
                "{{host}} {{mountpoint}}",
            ),
            most=1,
            steps=at_most(0.8, 0.9),
        ),
        series(
            "Busy",
            "Share of the time in which a disk had something to do.",
            units.SHARE,
            Query(rate("node_disk_io_time_seconds_total", DISKS, "host, device"), "{{host}} {{device}}"),
            most=1,
            steps=at_most(0.8, 0.95),
        ),
        series(
            "Read and written",
            "By host.",
            units.BYTES_PER_SECOND,
            Query(rate("node_disk_read_bytes_total", DISKS), "{{host}} read"),
            Query(rate("node_disk_written_bytes_total", DISKS), "{{host}} written"),
            width=12,
        ),
        series(
            "Waiting",
            "Requests that wait or are being done, on average.",
            units.COUNT,
            Query(
                rate("node_disk_io_time_weighted_seconds_total", DISKS, "host, device"), "{{host}} {{device}}"
            ),
            width=12,
        ),
    ),
)

NETWORK = Row(
    "Network",
    (
        series(
            "Received and sent",
            "By host, without its own loopback.",
            units.BYTES_PER_SECOND,
            Query(rate("node_network_receive_bytes_total", LINKS), "{{host}} received"),
            Query(rate("node_network_transmit_bytes_total", LINKS), "{{host}} sent"),
            width=12,
        ),
        series(
            "Errors and drops",
            "Packets, by host.",
            units.PER_SECOND,
            Query(
                f"{rate('node_network_receive_errs_total', LINKS)} + {rate('node_network_transmit_errs_total', LINKS)}",
                "{{host}} errors",
            ),
            Query(
                f"{rate('node_network_receive_drop_total', LINKS)} + {rate('node_network_transmit_drop_total', LINKS)}",
                "{{host}} drops",
            ),
            width=12,
        ),
    ),
)

REST = Row(
    "Clock and lines",
    (
        series(
            "Clock",
            "How far the kernel's clock is off, by what the time service says.",
            units.SECONDS,
            Query(f"max by (host) (abs(node_timex_offset_seconds{{{THIS}}}))", "{{host}}"),
            width=24,
            height=6,
            empty="containers may not ask for the state of the clock, as in the lab",
        ),
        logs(
            "Warnings and errors",
            "Of everything on the chosen hosts.",
            f"{{{THIS},level=~`warning|error|critical`}}",
            empty="nothing went wrong",
        ),
    ),
)

BOARD = Board(
    names.HOSTS,
    "Hosts",
    "Utilisation, saturation and errors of each host's processors, memory, disks and network.",
    (STATE, PROCESSOR, MEMORY, DISK, NETWORK, REST),
    (SITE, HOST),
)
