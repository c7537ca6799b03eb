# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Create a pg_auto_failover monitor or node on this host, once, and keep its keeper's configuration as wanted."""

from __future__ import annotations

import configparser
import io
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.tandem.platform.plugins.module_utils import postgres_cluster as cluster
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host

PG_AUTOCTL = "/usr/bin/pg_autoctl"


@dataclass(frozen=True)
class Instance:
    """One instance; `peers` are (address, port) of the cluster's data nodes, `name` is empty on a monitor."""

    kind: str
    data_directory: Path
    address: str
    port: int
    name: str
    include: str
    tls: Mapping[str, str]
    runtime: str
    peers: Sequence[tuple[str, int]]
    monitor_address: str
    monitor_port: int
    network_partition_timeout_s: int
    timeout_s: int

    @property
    def config(self) -> Path:
        """The keeper's configuration file."""
        return host.HOME / ".config/pg_autoctl" / self.data_directory.relative_to("/") / "pg_autoctl.cfg"

    @property
    def state_directory(self) -> Path:
        """Folder of the keeper's state files."""
        return host.HOME / ".local/share/pg_autoctl" / self.data_directory.relative_to("/")

    @property
    def environment(self) -> dict[str, str]:
        """Environment of pg_autoctl's commands."""
        return host.environment(self.tls, self.runtime)

    @property
    def monitor_dsn(self) -> str:
        """How this host asks the monitor, as a member of the cluster."""
        return host.cluster_dsn(
            self.monitor_address, self.monitor_port, "autoctl_node", "pg_auto_failover", self.tls
        )

    @property
    def monitor_uri(self) -> str:
        """The monitor as pg_autoctl wants it; without a password, since hosts are known by their certificates."""
        return (
            f"postgres://autoctl_node@{self.monitor_address}:{self.monitor_port}/pg_auto_failover"
            f"?sslmode=verify-full&sslrootcert={self.tls['ca']}"
            f"&sslcert={self.tls['certificate']}&sslkey={self.tls['key']}"
        )


def is_created(instance: Instance) -> bool:
    """Whether `pg_autoctl create` came to its end here; it can be repeated until then."""
    if not (instance.data_directory / "PG_VERSION").exists() or not instance.config.exists():
        return False
    if instance.kind == "monitor":
        # Ours is the last step, so the line is also the sign of completion.
        return (
            include_line(instance) in (instance.data_directory / "postgresql.conf").read_text().splitlines()
        )
    return (instance.state_directory / "pg_autoctl.state").exists() and not (
        instance.state_directory / "pg_autoctl.init"
    ).exists()


def include_line(instance: Instance) -> str:
    """The line by which our settings come last."""
    return f"include '{instance.include}'"


def ensure_include(instance: Instance) -> bool:
    """Make our settings the last ones of postgresql.conf; return whether that was a change."""
    path = instance.data_directory / "postgresql.conf"
    lines = path.read_text().splitlines()
    line = include_line(instance)
    if lines and lines[-1] == line:
        return False
    kept = [x for x in lines if x != line]
    host.write_durably(path, "\n".join([*kept, line]) + "\n")
    return True


def answers(address: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


def init_database(instance: Instance) -> None:
    """Make an empty cluster. Not left to pg_autoctl, whose own has no checksums and trusts every local user."""
    directory = instance.data_directory
    for path in (directory.parent, directory):
        path.mkdir(exist_ok=True)
        shutil.chown(path, host.USER, host.USER)
    directory.chmod(0o700)
    command = [str(host.BINARIES / "initdb"), "--pgdata", str(directory), "--username", host.USER]
    command += ["--auth-local", "peer", "--auth-host", "scram-sha-256", "--data-checksums"]
    command += ["--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"]
    host.run(command, instance.environment, instance.timeout_s)


def create_command(instance: Instance) -> list[str]:
    """The `pg_autoctl create` command."""
    what = "monitor" if instance.kind == "monitor" else "postgres"
    command = [PG_AUTOCTL, "create", what, "--pgdata", str(instance.data_directory)]
    command += ["--pgport", str(instance.port), "--pgctl", str(host.BINARIES / "pg_ctl")]
    command += ["--hostname", instance.address, "--skip-pg-hba", "--ssl-mode", "verify-full"]
    command += ["--ssl-ca-file", instance.tls["ca"], "--server-cert", instance.tls["certificate"]]
    command += ["--server-key", instance.tls["key"]]
    if instance.kind == "node":
        command += ["--name", instance.name, "--dbname", "postgres", "--monitor", instance.monitor_uri]
    return command


def create_monitor(instance: Instance) -> None:
    """Create the monitor; refuse while a data node runs, since that node belongs to a monitor that was lost."""
    alive = [address for address, port in instance.peers if answers(address, port)]
    if alive:
        raise host.HostError(
            f"There is no monitor in {instance.data_directory}, but a Postgres node answers at {', '.join(alive)}: it "
            "belongs to a monitor that was lost. A new, empty monitor would not know it. Restore the monitor's disk, "
            "or follow 'The monitor's disk is lost' in docs/postgres.md."
        )
    if not (instance.data_directory / "PG_VERSION").exists():
        init_database(instance)
    host.run(create_command(instance), instance.environment, instance.timeout_s)


def registered(instance: Instance) -> list[cluster.Node]:
    """Nodes that the monitor knows; refuses with the next step when the monitor doesn't answer."""
    try:
        rows = host.ask(instance.monitor_dsn, cluster.NODES_SQL)
    except host.HostError as error:
        raise host.HostError(
            f"This node is new, and the monitor at {instance.monitor_address}:{instance.monitor_port} can't be asked "
            f"to take it in: {error}. Nothing was changed here. Bring the monitor's host up, and run again."
        ) from error
    return cluster.nodes_from(rows)


def create_node(instance: Instance) -> None:
    """Create a data node: the first one makes the database, a later one copies it from the primary."""
    nodes = registered(instance)
    resuming = (instance.state_directory / "pg_autoctl.init").exists()
    mine = [node for node in nodes if (node.host, node.port) == (instance.address, instance.port)]
    others = [node for node in nodes if node not in mine]
    if mine and not resuming:
        drop_lost_node(instance, nodes, mine[0])
    if not others and not resuming:
        start_cluster(instance)
    if others and not resuming and (instance.data_directory / "PG_VERSION").exists():
        raise host.HostError(
            f"{instance.data_directory} holds a database that the cluster doesn't know, while {others[0].describe()}. "
            "Move it away if it is of no use, and run again."
        )
    host.run(create_command(instance), instance.environment, instance.timeout_s)


def start_cluster(instance: Instance) -> None:
    """Make the first node's database, unless another node already runs without being registered."""
    here = (instance.address, instance.port)
    alive = [
        address for address, port in instance.peers if (address, port) != here and answers(address, port)
    ]
    if alive:
        raise host.HostError(
            f"The monitor knows no node, but a Postgres answers at {', '.join(alive)}: the monitor is a new one. "
            "A second database is not made. Follow 'The monitor's disk is lost' in docs/postgres.md."
        )
    if not (instance.data_directory / "PG_VERSION").exists():
        init_database(instance)
    ensure_include(instance)


def drop_lost_node(instance: Instance, nodes: list[cluster.Node], mine: cluster.Node) -> None:
    """Take back the registration of a node whose disk is gone, if nothing can be lost by it."""
    refusal = cluster.may_replace(nodes, instance.address, instance.port)
    if refusal:
        raise host.HostError(
            f"{instance.name} has no data, but is registered, and can't be replaced: {refusal}. Nothing was changed. "
            "Restore its disk, or bring the other node up first."
        )
    host.ask(
        instance.monitor_dsn,
        "select pgautofailover.remove_node(%s, %s, true)",
        (instance.address, instance.port),
    )

    def gone() -> bool | None:
        return True if all(node.id != mine.id for node in registered(instance)) else None

    if not host.wait_for(gone, instance.timeout_s):
        raise host.HostError(f"the monitor does not drop {mine.describe()}")


def wanted_settings(instance: Instance) -> dict[tuple[str, str], str]:
    """What the keeper's configuration shall hold. pg_autoctl passes the address to Postgres as -h."""
    settings = {("postgresql", "listen_addresses"): instance.address}
    if instance.kind == "node":
        settings["timeout", "network_partition_timeout"] = str(instance.network_partition_timeout_s)
    return settings


def read_configuration(instance: Instance) -> configparser.RawConfigParser:
    """The keeper's configuration."""
    parser = configparser.RawConfigParser()
    parser.read(instance.config)
    return parser


def is_configured(instance: Instance) -> bool:
    """Whether the keeper's configuration holds what it shall."""
    parser = read_configuration(instance)
    return all(
        parser.get(section, key, fallback=None) == value
        for (section, key), value in wanted_settings(instance).items()
    )


def configure(instance: Instance) -> bool:
    """Set the keeper's settings; return whether that was a change. `pg_autoctl config set` ignores the address."""
    if is_configured(instance):
        return False
    parser = read_configuration(instance)
    for (section, key), value in wanted_settings(instance).items():
        parser.set(section, key, value)
    text = io.StringIO()
    parser.write(text)
    host.write_durably(instance.config, text.getvalue())
    return True


def create(instance: Instance) -> None:
    """Create the instance; what a failed attempt left is taken up again."""
    Path(instance.runtime).mkdir(mode=0o700, exist_ok=True)
    shutil.chown(instance.runtime, host.USER, host.USER)
    if instance.kind == "monitor":
        create_monitor(instance)
    else:
        create_node(instance)
    ensure_include(instance)
    os.sync()
