# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""How one host is: services, certificates, units, its part of database, broker and alerts. Knows nothing of Ansible.

Every part is looked at by itself: one that can't be found out is an error with a reason, and the others are told.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import postgres_cluster, postgres_host, rabbitmq_cli, service_host
from .instances_door import Door
from .instances_managers import Managers
from .instances_systemd import Systemd
from .platform_units import failed_units

TLS = Path("/etc/tandem/tls")
CALL_SECONDS = 10
MARKER_KNOWN = "select to_regclass('stall_guard.degraded') is not null"
MARKER_SQL = """
select standby, extract(epoch from clock_timestamp() - since)::float8
  from stall_guard.degraded where formation = 'default'"""
OUTBOX_KNOWN = "select to_regprocedure('tandem.outbox_state()') is not null"
OUTBOX_SQL = "select entries, oldest_seconds from tandem.outbox_state()"

Part = Callable[[], Any]


def look(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return what each part found, and `errors`: the reasons of those that found nothing."""
    found: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, part in parts.items():
        try:
            found[name] = part()
        except Exception as error:
            # Whatever it is, the other parts are still worth telling.
            errors[name] = " ".join(str(error).split()) or type(error).__name__
    return {**found, "errors": errors}


def parts(wanted: Mapping[str, Any]) -> dict[str, Part]:
    """Return what there is to look at: always services, certificates and units, the rest where it is."""
    found: dict[str, Part] = {
        "services": services,
        "certificates": certificates,
        "failed_units": failed_units,
    }
    if wanted["monitor_port"]:
        found["monitor"] = lambda: monitor(wanted["monitor_port"])
    if wanted["databases"]:
        found["outboxes"] = lambda: outboxes(wanted["databases"])
    if wanted["broker_node"]:
        found["broker"] = lambda: broker(wanted["broker_node"])
    if wanted["alertmanager"]:
        found["alerts"] = lambda: alerts(wanted["alertmanager"])
    return found


def services() -> dict[str, dict[str, int]]:
    """Return by service how many instances are wanted, run, are drained, and run something else than is deployed."""
    names = service_host.deployed()
    manifests = {name: service_host.manifest(name) for name in names}
    manifests = {name: found for name, found in manifests.items() if not found.get("timer")}
    counts = {name: int(found["instances"]) for name, found in manifests.items()}
    managers = {name: str(found.get("manager", "systemd")) for name, found in manifests.items()}
    doors = Door().all_servers()
    result = {}
    for name, found in Managers(Systemd()).instances(counts, managers).items():
        manifest = manifests[name]
        running = [instance for instance in found.instances if instance.running]
        result[name] = {
            "wanted": int(manifest["autoscale"]["min"]) if manifest.get("autoscale") else counts[name],
            "running": len(running),
            "drained": sum(server.status.startswith("DRAIN") for server in doors.get(name, {}).values()),
            "outdated": sum(instance.revision != manifest["revision"] for instance in running),
        }
    return result


def certificates(folder: Path = TLS) -> dict[str, str]:
    """Return when each certificate ends, as 2026-01-02 03:04:05Z."""
    return {path.parent.name: _ends(path) for path in sorted(folder.glob("*/certificate.pem"))}


def _ends(path: Path) -> str:
    command = ["openssl", "x509", "-in", str(path), "-noout", "-enddate", "-dateopt", "iso_8601"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CALL_SECONDS)
    if done.returncode != 0:
        raise ValueError(f"{path} is no certificate: {done.stderr.strip()}")
    return done.stdout.strip().partition("=")[2]


def monitor(port: int) -> dict[str, Any]:
    """Return the nodes as the failover monitor knows them, and the stall guard's marker if there is one."""
    dsn = postgres_host.local_dsn(port, "pg_auto_failover")
    nodes = postgres_cluster.nodes_from(postgres_host.ask(dsn, postgres_cluster.NODES_SQL))
    marker = None
    if postgres_host.ask(dsn, MARKER_KNOWN)[0][0]:
        rows = postgres_host.ask(dsn, MARKER_SQL)
        marker = {"standby": rows[0][0], "seconds": rows[0][1]} if rows else None
    leading = postgres_cluster.leader(nodes)
    return {
        "primary": leading.name if leading else None,
        "nodes": {node.name: node.describe() for node in nodes},
        "problems": postgres_cluster.problems(nodes, [node.name for node in nodes]),
        "marker": marker,
    }


def outboxes(databases: Mapping[str, str]) -> dict[str, dict[str, float]] | None:
    """Return the outboxes by service, `databases` by service; None on a node that does not take writes."""
    if postgres_host.ask(postgres_host.local_dsn(5432), "select pg_is_in_recovery()")[0][0]:
        return None
    found = {}
    for service, database in databases.items():
        dsn = postgres_host.local_dsn(5432, database)
        if postgres_host.ask(dsn, OUTBOX_KNOWN)[0][0]:
            for rows, seconds in postgres_host.ask(dsn, OUTBOX_SQL):
                found[service] = {"rows": rows, "seconds": seconds}
    return found


def broker(node: str) -> dict[str, list[str]]:
    """Return the members of the cluster of a node of this host, and those that run."""
    cluster = rabbitmq_cli.cluster_of(node)
    return {"members": sorted(cluster.members), "running": sorted(cluster.running)}


def alerts(url: str) -> list[dict[str, str]] | None:
    """Return what fires at this host's Alertmanager and is neither silenced nor inhibited; None where none is."""
    if not url.startswith("https://"):
        raise ValueError(f"{url} is not https")
    certificate = TLS / "alertmanager"
    if not certificate.exists():
        return None
    context = ssl.create_default_context(cafile=str(TLS / "ca.pem"))
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    with opener.open(
        f"{url}/api/v2/alerts?active=true&silenced=false&inhibited=false", timeout=CALL_SECONDS
    ) as answer:
        return fired(json.load(answer))


def fired(answer: list[Any]) -> list[dict[str, str]]:
    """Return name, severity and summary of each alert of Alertmanager's answer."""
    return [
        {
            "name": str(alert["labels"].get("alertname", "?")),
            "severity": str(alert["labels"].get("severity", "none")),
            "summary": str(alert.get("annotations", {}).get("summary", "")),
        }
        for alert in answer
    ]
