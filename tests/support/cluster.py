"""The state of the lab's Postgres, as the monitor and the primary tell it."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from lab import Lab, LabError

MONITOR_PORT = 5431
NODE_PORT = 5432
NODES = """select coalesce(json_agg(json_build_object('name', nodename, 'host', nodehost, 'reported', reportedstate,
  'goal', goalstate, 'health', health, 'priority', candidatepriority, 'quorum', replicationquorum)
  order by nodename), '[]') from pgautofailover.node"""
# All of pg_auto_failover 2.2 in which a node takes writes.
LEADING = ("single", "wait_primary", "join_primary", "apply_settings", "primary")
STREAMING = """select count(*) from pg_stat_replication
  where state = 'streaming' and application_name like 'pgautofailover_standby%'"""


def psql(lab: Lab, host: str, sql: str, database: str = "postgres", port: int = NODE_PORT) -> str:
    """Run SQL as postgres on a host's own server; raises CalledProcessError when the server does not answer."""
    done = lab.run(
        host,
        ["runuser", "-u", "postgres", "--", "psql", "-p", str(port), "-d", database, "-XAtc", sql],
        timeout=20,
    )
    done.check_returncode()
    return str(done.stdout).strip()


def nodes(lab: Lab, monitor: str = "wit1") -> list[dict[str, Any]]:
    """The monitor's rows: name, host, reported and goal state, health, priority, quorum."""
    rows: list[dict[str, Any]] = json.loads(psql(lab, monitor, NODES, "pg_auto_failover", MONITOR_PORT))
    return rows


def primary(lab: Lab) -> str:
    """The inventory name of the node that leads. Raises AssertionError with the state when there is not exactly one."""
    leading = [node["name"] for node in nodes(lab) if node["goal"] in LEADING]
    assert len(leading) == 1, f"no single primary: {nodes(lab)}"
    return str(leading[0])


def standby(lab: Lab) -> str:
    """The other data node."""
    leader = primary(lab)
    return next(str(node["name"]) for node in nodes(lab) if node["name"] != leader)


def settled(lab: Lab) -> bool:
    """Both nodes where the monitor wants them, healthy, promotable, and the standby streaming."""
    rows = nodes(lab)
    calm = all(
        row["reported"] == row["goal"] and row["health"] == 1 and row["priority"] == 50 and row["quorum"]
        for row in rows
    )
    if not calm or sorted(row["goal"] for row in rows) != ["primary", "secondary"]:
        return False
    return psql(lab, primary(lab), STREAMING) == "1"


def wait_settled(lab: Lab, timeout: float = 90) -> float:
    """Wait until the cluster is whole again; return the seconds it took, or fail with its state and journals."""
    started = time.monotonic()
    while time.monotonic() - started < timeout:
        try:
            if settled(lab):
                return time.monotonic() - started
        except Exception as error:
            last: object = error
        else:
            last = None
        time.sleep(0.5)
    raise AssertionError(f"Postgres is not whole after {timeout} s (last error: {last})\n{describe(lab)}")


def describe(lab: Lab) -> str:
    """What a person needs to see of the cluster: the monitor's rows and the last lines of each unit."""
    parts = []
    try:
        parts += [str(row) for row in nodes(lab)]
    except Exception as error:
        parts.append(f"monitor: {error}")
    for host in ("wit1", "msk-data1", "spb-data1"):
        journal = ["journalctl", "-u", "tandem-*", "-n", "15", "--no-pager", "-o", "short-precise"]
        try:
            parts.append(f"--- {host}\n{lab.run(host, journal, timeout=20).stdout}")
        except (LabError, subprocess.TimeoutExpired) as error:
            parts.append(f"--- {host}: {error}")
    return "\n".join(parts)


def undo_faults(lab: Lab) -> None:
    """Heal all cuts, and boot what a test has left without power."""
    lab.heal()
    for host, state in lab.status().items():
        if not state.running:
            lab.boot(host)
