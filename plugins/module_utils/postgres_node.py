# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a data node can tell about itself and, through the monitor, about the cluster."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.tandem.platform.plugins.module_utils import postgres_cluster as cluster
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host

STREAMING_SQL = """
select count(*)::int from pg_stat_replication
where state = 'streaming' and application_name like 'pgautofailover_standby%%'"""
# Not those that pg_autoctl changes when a node becomes primary or standby: they wait for nothing.
PENDING_SQL = """
select s.name from pg_settings s
where s.pending_restart and exists (
  select from pg_file_settings f where f.name = s.name and f.sourcefile like '/etc/tandem/%%')
order by s.name"""
WRITABLE_SQL = "select not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off'"


@dataclass(frozen=True)
class Here:
    """One data node, seen from its own host."""

    name: str
    port: int
    data_directory: str
    unit: str
    tls: Mapping[str, str]
    monitor_address: str
    monitor_port: int
    expected: Sequence[str]
    absent: Sequence[str]

    @classmethod
    def from_parameters(cls, given: Mapping[str, Any]) -> Here:
        """From a module's parameters; see NODE_SPEC."""
        return cls(
            name=given["name"],
            port=given["port"],
            data_directory=given["data_directory"],
            unit=given["unit"],
            tls=given["tls"],
            monitor_address=given["monitor"]["address"],
            monitor_port=int(given["monitor"]["port"]),
            expected=given["nodes"],
            absent=given["absent"],
        )

    def ask_monitor(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows from the monitor, asked as a member of the cluster."""
        dsn = host.cluster_dsn(
            self.monitor_address, self.monitor_port, "autoctl_node", "pg_auto_failover", self.tls
        )
        return host.ask(dsn, sql, arguments)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows from this host's Postgres."""
        return host.ask(host.local_dsn(self.port), sql)

    def nodes(self) -> list[cluster.Node]:
        """The cluster's nodes as the monitor knows them."""
        return cluster.nodes_from(self.ask_monitor(cluster.NODES_SQL))

    def problems(self) -> list[str]:
        """Why the cluster is not at rest, seen from here; raises HostError when the monitor can't be asked."""
        nodes = self.nodes()
        found = cluster.problems(nodes, self.expected, self.absent)
        chief = cluster.leader(nodes)
        if (
            not found
            and not self.absent
            and chief is not None
            and chief.name == self.name
            and len(self.expected) > 1
        ):
            found += self.replication_problems()
        return found

    def replication_problems(self) -> list[str]:
        """What is wrong with the replication from this host, which leads."""
        try:
            streaming = self.ask(STREAMING_SQL)[0][0]
        except host.HostError as error:
            return [f"Postgres on {self.name} doesn't answer: {error}"]
        return [] if streaming == 1 else [f"{streaming} standbys stream from {self.name} instead of 1"]

    def pending(self) -> list[str]:
        """What waits for a restart: names of settings, and the unit when its file is younger than its process."""
        waiting = [row[0] for row in self.ask(PENDING_SQL)]
        show = [
            "systemctl",
            "show",
            "--value",
            "--timestamp=unix",
            "-p",
            "ExecMainStartTimestamp",
            f"{self.unit}.service",
        ]
        started = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip().lstrip("@")
        file = Path("/etc/systemd/system", f"{self.unit}.service")
        if started.isdigit() and file.exists() and file.stat().st_mtime > int(started) + 1:
            waiting.append(file.name)
        return waiting

    def fence_armed(self) -> bool:
        """Whether pg_autoctl itself reads a contact with a standby from its state, without which it never fences."""
        environment = host.environment(self.tls, f"/run/{self.unit}") | {"PG_AUTOCTL_DEBUG": "1"}
        command = ["/usr/bin/pg_autoctl", "do", "fsm", "state", "--json", "--pgdata", self.data_directory]
        said = host.run(command, environment)
        found = re.search(r'"last_secondary_contact":\s*"(.+?)"', said)
        if not found:
            raise host.HostError(
                f"pg_autoctl doesn't tell its last contact with a standby; it said:\n{host.tail(said)}"
            )
        return "1970" not in found[1]


NODE_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "data_directory": {"type": "str", "required": True},
    "unit": {"type": "str", "required": True},
    "tls": {"type": "dict", "required": True},
    "monitor": {"type": "dict", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 120},
}
