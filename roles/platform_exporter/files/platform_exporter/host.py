"""What any user of the host can see: certificates, manifests of services, units, processes, results of timers."""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from prometheus_client.core import GaugeMetricFamily, Metric

SYSTEMCTL_SECONDS = 10
HTTP_SECONDS = 5
RELEASE = re.compile(r"/releases/([0-9a-f]+)/")
SUPERVISORD = re.compile(r"@supervisord-([0-9a-f]+)\.service$")
UNIT_PROPERTIES = ("Id", "ActiveState", "MainPID")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the host keeps things."""

    tls: Path = Path("/etc/tandem/tls")
    services: Path = Path("/etc/tandem/services")
    units: Path = Path("/etc/systemd/system")
    timers: Path = Path("/var/lib/tandem/timers")
    programs: Path = Path("/run/tandem-metrics")
    proc: Path = Path("/proc")


# --- certificates ----------------------------------------------------------------------------------------------------


def certificates(places: Places) -> Iterator[Metric]:
    """Return when each certificate ends."""
    family = GaugeMetricFamily(
        "tandem_certificate_not_after_seconds", "When the certificate ends, Unix time", labels=["name"]
    )
    for path in sorted(places.tls.glob("*/certificate.pem")):
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        family.add_metric([path.parent.name], ends.timestamp())
    authority = x509.load_pem_x509_certificate((places.tls / "ca.pem").read_bytes())
    family.add_metric(["ca"], authority.not_valid_after_utc.timestamp())
    yield family


# --- units -----------------------------------------------------------------------------------------------------------


def systemctl(arguments: Sequence[str]) -> str:
    """Return what systemctl says. Raises subprocess.SubprocessError."""
    return subprocess.run(
        ["systemctl", "--no-pager", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SYSTEMCTL_SECONDS,
        check=True,
    ).stdout


def shown(units: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units by their names, in one call."""
    if not units:
        return {}
    text = systemctl(["show", f"--property={','.join(UNIT_PROPERTIES)}", "--", *units])
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    return {block["Id"]: block for block in blocks}


# --- services --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Program:
    """A program under supervisord; `state` in supervisord's words."""

    service: str
    name: str
    state: str
    pid: int


def manifests(places: Places) -> dict[str, dict[str, Any]]:
    """Return what is deployed, by service."""
    found = {}
    for path in sorted(places.services.glob("*/manifest.json")):
        found[path.parent.name] = json.loads(path.read_text(encoding="utf-8"))
    return found


def programs(places: Places, running: Mapping[str, Mapping[str, str]]) -> Iterator[Program]:
    """Return the programs of the supervisords that run, as their listeners wrote them down."""
    for unit, properties in running.items():
        found = SUPERVISORD.search(unit)
        if found is None or properties["ActiveState"] != "active":
            continue
        service = unit[: found.start()]
        path = places.programs / service / f"programs-{found[1]}.json"
        for name, program in json.loads(path.read_text(encoding="utf-8")).items():
            yield Program(service, name, program["state"], program["pid"])


def instance_units(places: Places, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the units of all instances, also those of supervisords."""
    units = []
    for service, manifest in found.items():
        units += [path.name for path in sorted(places.units.glob(f"{service}@supervisord-*.service"))]
        if manifest.get("manager", "systemd") == "systemd":
            units += [f"{service}@{number}.service" for number in range(1, manifest["instances"] + 1)]
    return units


def release_of(pid: int, places: Places) -> str | None:
    """Return the release that a process runs, by its command; None when the process or its release is not known."""
    try:
        command = (
            (places.proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return None
    found = RELEASE.search(command)
    return found[1] if found else None


def drained(text: str) -> dict[str, int]:
    """Return by service how many of its instances are drained, from HAProxy's statistics."""
    counts: dict[str, int] = {}
    for row in csv.DictReader(text.lstrip("# ").splitlines()):
        if row["pxname"].startswith("svc_") and row["status"].startswith("DRAIN"):
            service = row["pxname"].removeprefix("svc_")
            counts[service] = counts.get(service, 0) + 1
    return counts


def ask_door(port: int) -> dict[str, int]:
    """Ask the local HAProxy for the instances that are drained. Raises OSError, http.client.HTTPException."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=HTTP_SECONDS)
    ) as connection:
        connection.request("GET", "/;csv;norefresh")
        answer = connection.getresponse()
        text = answer.read().decode()
    if answer.status != http.client.OK:
        raise OSError(f"HAProxy's statistics answer {answer.status}")
    return drained(text)


def door_drained(port: int) -> dict[str, int] | None:
    """Return the drained instances by service; None while HAProxy, which is watched by itself, does not answer."""
    if not port:
        return {}
    try:
        return ask_door(port)
    except (OSError, http.client.HTTPException):
        return None


def services(places: Places, door: int) -> Iterable[Metric]:
    """Return instances and releases of all services; `door`: port of HAProxy's statistics, 0 without a door."""
    found = manifests(places)
    units = shown(instance_units(places, found))
    supervised = list(programs(places, units))
    out = door_drained(door)
    instances = GaugeMetricFamily(
        "tandem_service_instances", "Instances of a service on this host", labels=["service", "state"]
    )
    releases = GaugeMetricFamily("tandem_release_info", "A release that runs", labels=["service", "release"])
    for service, manifest in found.items():
        pids = running_pids(service, units, supervised)
        counts = {"wanted": wanted(manifest), "running": len(pids)}
        if out is not None:
            counts["drained"] = out.get(service, 0)
        for state, count in counts.items() if not manifest.get("timer") else ():
            instances.add_metric([service, state], count)
        running = {release for pid in pids if (release := release_of(pid, places))}
        for release in sorted(running) or [manifest["release"]]:
            releases.add_metric([service, release], 1)
    return [instances, releases, program_states(supervised)]


def wanted(manifest: Mapping[str, Any]) -> int:
    """Return how many instances shall run at least."""
    scaled = manifest.get("autoscale")
    return int(scaled["min"] if scaled else manifest["instances"])


def running_pids(
    service: str, units: Mapping[str, Mapping[str, str]], supervised: Iterable[Program]
) -> list[int]:
    """Return the processes of a service's instances, one for each that runs."""
    instances = [
        unit
        for name, unit in units.items()
        if name.startswith(f"{service}@") and not SUPERVISORD.search(name) and unit["ActiveState"] == "active"
    ]
    return [
        *(int(unit["MainPID"]) for unit in instances),
        *(item.pid for item in supervised if item.service == service and item.state == "RUNNING"),
    ]


def program_states(supervised: Iterable[Program]) -> Metric:
    """Return the states of programs under supervisord."""
    states = GaugeMetricFamily(
        "tandem_supervisord_program_state", "The state of a program", labels=["service", "program", "state"]
    )
    for item in supervised:
        states.add_metric([item.service, item.name, item.state], 1)
    return states


# --- timers ----------------------------------------------------------------------------------------------------------


def timers(places: Places) -> Iterable[Metric]:
    """Return how each timer's newest moment ended, here or on another host."""
    last = GaugeMetricFamily(
        "tandem_timer_last_run_timestamp_seconds", "When the last run ended, Unix time", labels=["timer"]
    )
    code = GaugeMetricFamily("tandem_timer_last_exit_code", "The last run's exit code", labels=["timer"])
    seconds = GaugeMetricFamily(
        "tandem_timer_last_duration_seconds", "How long the last run took", labels=["timer"]
    )
    for path in sorted(places.timers.glob("*/last.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        name = path.parent.name
        for family, key in ((last, "finished"), (code, "exit_code"), (seconds, "seconds")):
            if result.get(key) is not None:
                family.add_metric([name], result[key])
    return [last, code, seconds]
