#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Wait until the Postgres cluster is at rest, and verify that this node would fence itself."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_cluster as cluster
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils.postgres_node import NODE_SPEC, Here

DOCUMENTATION = r"""
module: postgres_settled
short_description: Wait until the Postgres cluster is at rest and verify this node's self-fence
description:
  - Runs on a data node. At rest means one primary and one standby, each healthy and in the state that the monitor
    assigned, priority 50, quorum true, and exactly one streaming standby on the primary.
  - Changes nothing. Fails with what is missing when that is not reached in time, or when the node would not fence
    itself.
  - A cluster that the stall guard degraded, and one whose monitor can't be asked, is a warning - it does its work.
options:
  name:
    description: Name of this node at the monitor.
    type: str
    required: true
  port:
    description: Port of this node's Postgres.
    type: int
    required: true
  data_directory:
    description: Where its database lives.
    type: str
    required: true
  unit:
    description: Its systemd unit without the suffix.
    type: str
    required: true
  tls:
    description: Paths C(ca), C(certificate) and C(key).
    type: dict
    required: true
  monitor:
    description: The monitor's C(address) and C(port).
    type: dict
    required: true
  nodes:
    description: Names of all configured data nodes.
    type: list
    elements: str
    required: true
  absent:
    description: Names of the nodes that are known not to answer now; nothing is required of them.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait.
    type: int
    default: 120
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Wait until the cluster is at rest
  tandem.platform.postgres_settled:
    name: msk-data1
    port: 5432
    data_directory: /var/lib/postgresql/17/node
    unit: tandem-postgres
    tls: {ca: /etc/tandem/tls/ca.pem, certificate: /etc/x/certificate.pem, key: /etc/x/key.pem}
    monitor: {address: 10.63.0.11, port: 5431}
    nodes: [msk-data1, spb-data1]
"""

RETURN = r"""
states:
  description: Reported state of each node by name; empty when the monitor can't be asked.
  type: dict
  returned: always
pending_restart:
  description: Settings of this node (or its unit file) that wait for a restart.
  type: list
  elements: str
  returned: always
"""


def wait(here: Here, timeout_s: float) -> list[str]:
    """Wait until nothing is wrong; return what is wrong at the end."""
    last: list[str] = []

    def check() -> bool | None:
        nonlocal last
        last = here.problems()
        return True if not last else None

    host.wait_for(check, timeout_s)
    return last


def verify(module: AnsibleModule, here: Here) -> dict[str, str]:
    """Wait for rest and check the fence; return the states."""
    try:
        nodes = here.nodes()
    except host.HostError as error:
        module.warn(f"The monitor can't be asked, so no failover is possible until it is back: {error}")
        return {}
    weak = cluster.degraded(nodes)
    if weak is not None:
        module.warn(
            f"The platform runs on one copy: the stall guard took {weak.name} out. See docs/postgres.md."
        )
        return dict(cluster.summary(nodes))
    wrong = wait(here, module.params["timeout"])
    if wrong:
        module.fail_json(
            msg=f"The Postgres cluster is not at rest after {module.params['timeout']} s: {'; '.join(wrong)}. "
            "Look at: journalctl -u tandem-postgres -n 50 on the nodes"
        )
    return dict(cluster.summary(here.nodes()))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=NODE_SPEC, supports_check_mode=True)
    here = Here.from_parameters(module.params)
    try:
        if module.check_mode and not (host.have_driver() and here.ask("select true")):
            module.exit_json(changed=False, states={}, pending_restart=[])
    except host.HostError:
        module.exit_json(changed=False, states={}, pending_restart=[])
    try:
        states = verify(module, here)
        if not here.fence_armed():
            module.fail_json(
                msg=f"{here.name} would not fence itself when it is isolated: its keeper never noted a standby. "
                f"Restart its unit while it is a standby: systemctl restart {here.unit}"
            )
        pending = here.pending()
    except host.HostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, states=states, pending_restart=pending)


if __name__ == "__main__":
    main()
