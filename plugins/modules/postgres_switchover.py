#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Make the standby the primary, behind a gate that the monitor itself does not have."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_cluster as cluster
from ansible_collections.tandem.platform.plugins.module_utils import postgres_failover
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils.postgres_node import STREAMING_SQL

DOCUMENTATION = r"""
module: postgres_switchover
short_description: Make the Postgres standby the primary
description:
  - Runs on the monitor's host. Refuses unless both nodes are healthy and in the state that the monitor assigned, with
    priority 50 and quorum true, and exactly one standby streams from the primary. The monitor alone would accept a
    switchover to a node that is down, which is an outage.
  - Has both nodes write a checkpoint first, so that the switchover does not wait for one.
  - Waits until the other node is the primary and the cluster is at rest again.
options:
  port:
    description: The monitor's port on this host.
    type: int
    required: true
  tls:
    description: Paths C(ca), C(certificate) and C(key).
    type: dict
    required: true
  nodes:
    description: Names of all configured data nodes.
    type: list
    elements: str
    required: true
  to:
    description: Name of the node that shall be the primary (nothing is done if it is); without it, the other one.
    type: str
    default: ""
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Switch over
  tandem.platform.postgres_switchover:
    port: 5431
    tls: {ca: /etc/tandem/tls/ca.pem, certificate: /etc/x/certificate.pem, key: /etc/x/key.pem}
    nodes: [msk-data1, spb-data1]
"""

RETURN = r"""
before:
  description: Name of the primary before.
  type: str
  returned: success
after:
  description: Name of the primary afterwards.
  type: str
  returned: success
seconds:
  description: Time until the cluster was at rest again.
  type: float
  returned: success
"""

CHECKPOINT_LIMIT_MS = 60_000

SPEC = {
    "port": {"type": "int", "required": True},
    "tls": {"type": "dict", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "to": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 60},
}


class Switchover:
    """One switchover."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.expected: list[str] = module.params["nodes"]
        self.connection = host.connect(host.local_dsn(module.params["port"], "pg_auto_failover"))

    def nodes(self) -> list[cluster.Node]:
        """The nodes as the monitor knows them."""
        return cluster.nodes_from(host.query(self.connection, cluster.NODES_SQL))

    def streaming(self, primary: cluster.Node | None) -> int | None:
        """How many standbys stream from the primary; None when it can't be asked."""
        if primary is None:
            return None
        dsn = host.cluster_dsn(
            primary.host, primary.port, "tandem_guard", "postgres", self.module.params["tls"]
        )
        try:
            return int(host.ask(dsn, STREAMING_SQL)[0][0])
        except host.HostError:
            return None

    def refusals(self) -> list[str]:
        """Why a switchover must not be done now."""
        nodes = self.nodes()
        return cluster.switchover_refusals(nodes, self.streaming(cluster.leader(nodes)), self.expected)

    def checkpoint(self) -> None:
        """Have both nodes write what they hold in memory: the primary's shutdown and the promotion wait for it."""
        for node in self.nodes():
            dsn = host.cluster_dsn(
                node.host, node.port, "tandem_guard", "postgres", self.module.params["tls"]
            )
            try:
                connection = host.connect(dsn, CHECKPOINT_LIMIT_MS)
                host.query(connection, "checkpoint")
                connection.close()
            except host.HostError as error:
                self.module.warn(f"{node.name} did not write a checkpoint first, so it takes longer: {error}")

    def perform(self, before: str) -> str:
        """Do it and wait; return the new primary's name. Judged by the states, since the call's answer may be lost."""
        said = "the monitor did not say why"
        self.checkpoint()
        try:
            postgres_failover.fail_over(lambda sql, values: host.query(self.connection, sql, values))
        except host.HostError as error:
            said = str(error)

        def over() -> str | None:
            chief = cluster.leader(self.nodes())
            return chief.name if chief is not None and chief.name != before and not self.refusals() else None

        after = host.wait_for(over, self.module.params["timeout"])
        if after is None:
            self.module.fail_json(
                msg=f"No switchover within {self.module.params['timeout']} s ({said}): {'; '.join(self.refusals())}"
            )
        return str(after)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    started = time.monotonic()
    try:
        task = Switchover(module)
        chief = cluster.leader(task.nodes())
        before = chief.name if chief else ""
        if module.params["to"] and module.params["to"] == before:
            module.exit_json(changed=False, before=before, after=before, seconds=0.0)
        refusals = task.refusals()
        if refusals:
            module.fail_json(
                msg=f"No switchover now, it would be an outage: {'; '.join(refusals)}. Nothing was changed."
            )
        if module.params["to"] and module.params["to"] not in module.params["nodes"]:
            module.fail_json(
                msg=f"{module.params['to']} is not a data node; they are {', '.join(task.expected)}"
            )
        after = before if module.check_mode else task.perform(before)
    except host.HostError as error:
        module.fail_json(msg=f"No switchover, the monitor can't be asked: {error}")
    module.exit_json(changed=True, before=before, after=after, seconds=round(time.monotonic() - started, 2))


if __name__ == "__main__":
    main()
