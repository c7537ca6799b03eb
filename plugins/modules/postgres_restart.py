#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Restart a Postgres node whose settings wait for it, behind the cluster's health gate."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_failover
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils.postgres_node import NODE_SPEC, Here

DOCUMENTATION = r"""
module: postgres_restart
short_description: Restart a Postgres node whose settings wait for it
description:
  - Acts only while the cluster is at rest (see M(tandem.platform.postgres_settled)), and waits for rest afterwards.
  - A standby is restarted as it is, and so proves the settings. A primary hands over first and is restarted as a
    standby; restarted in place it would be failed over anyway, and less gently.
  - Call it with throttle 1 for the standby, then for the rest.
  - With a node or the monitor missing nothing is restarted; the task warns.
options:
  only:
    description: Act only on a node that is this now.
    type: str
    choices: [secondary, any]
    default: any
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
    description: Names of the nodes that are known not to answer now.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that each wait may take.
    type: int
    default: 120
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Restart the standby
  tandem.platform.postgres_restart:
    only: secondary
    name: msk-data1
    port: 5432
    data_directory: /var/lib/postgresql/17/node
    unit: tandem-postgres
    tls: {ca: /etc/tandem/tls/ca.pem, certificate: /etc/x/certificate.pem, key: /etc/x/key.pem}
    monitor: {address: 10.63.0.11, port: 5431}
    nodes: [msk-data1, spb-data1]
  throttle: 1
"""

RETURN = r"""
restarted:
  description: Whether the node was restarted.
  type: bool
  returned: always
"""

SPEC = NODE_SPEC | {
    "only": {"type": "str", "choices": ["secondary", "any"], "default": "any"},
}


class Restart:
    """One node's restart."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.here = Here.from_parameters(module.params)
        self.timeout_s = module.params["timeout"]

    def wait_for_rest(self) -> None:
        """Fail when the cluster does not come to rest."""
        wrong: list[str] = []

        def check() -> bool | None:
            nonlocal wrong
            try:
                wrong = self.here.problems()
            except host.HostError as error:
                wrong = [str(error)]
            return True if not wrong else None

        if not host.wait_for(check, self.timeout_s):
            self.module.fail_json(msg=f"{self.here.name} is not restarted while {'; '.join(wrong)}")

    def role(self) -> str:
        """This node's state at the monitor."""
        return next((node.reported for node in self.here.nodes() if node.name == self.here.name), "unknown")

    def hand_over(self) -> None:
        """Make the other node the primary."""
        postgres_failover.fail_over(self.here.ask_monitor)
        if not host.wait_for(lambda: True if self.role() == "secondary" else None, self.timeout_s):
            self.module.fail_json(
                msg=f"{self.here.name} did not become a standby; its settings still wait for a restart"
            )
        self.wait_for_rest()

    def restart_unit(self) -> None:
        """Restart keeper and Postgres, and wait until the cluster is at rest with them."""
        self.module.run_command(["systemctl", "restart", f"{self.here.unit}.service"], check_rc=True)
        time.sleep(2)  # for about a second the monitor still shows the state from before
        self.wait_for_rest()

    def run(self) -> bool:
        """Restart if this is the turn of this node; return whether it was restarted."""
        role = self.role()
        if self.module.params["only"] not in (role, "any"):
            return False
        if self.module.check_mode:
            return True
        self.wait_for_rest()
        if role == "primary":
            self.hand_over()
        self.restart_unit()
        return True


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    task = Restart(module)
    try:
        if not task.here.pending():
            module.exit_json(changed=False, restarted=False)
        if task.here.absent:
            module.warn(
                f"{task.here.name} waits for a restart; it is not restarted while another node is missing"
            )
            module.exit_json(changed=False, restarted=False)
        done = task.run()
    except host.HostError as error:
        module.fail_json(msg=f"{task.here.name} waits for a restart, but {error}")
    module.exit_json(changed=done, restarted=done and not module.check_mode)


if __name__ == "__main__":
    main()
