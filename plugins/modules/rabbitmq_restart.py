#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Restart a RabbitMQ node that runs with other settings or programs than are there, behind a health gate."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_cli as cli
from ansible_collections.tandem.platform.plugins.module_utils import systemd

DOCUMENTATION = r"""
module: rabbitmq_restart
short_description: Restart a RabbitMQ node that is out of date
description:
  - Compares what the running node was started with with what is there. If they differ, it waits until every node runs
    and every queue has one member more online than it needs, moves the leaders of its queues away, restarts, and waits
    for the same again.
  - Run it on one host after the other and end the run at the first failure; it never restarts a node on which a queue
    depends.
  - With a node missing nothing is restarted; the task warns.
options:
  name:
    description: Name of this node.
    type: str
    required: true
  nodes:
    description: Names of all nodes.
    type: list
    elements: str
    required: true
  absent:
    description: Names of the nodes that are known not to answer now.
    type: list
    elements: str
    default: []
  unit:
    description: Its systemd unit without the suffix.
    type: str
    required: true
  revision:
    description: A program that prints a hash of what the node would be started with.
    type: str
    required: true
  running:
    description: The file in which the running node's own is.
    type: str
    required: true
  force:
    description: Restart it although it is up to date.
    type: bool
    default: false
  rebalance:
    description: Spread the leaders of all queues over the nodes after the restart. For the last node.
    type: bool
    default: false
  timeout:
    description: Seconds that each wait may take.
    type: int
    default: 180
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Restart the node if it is out of date
  tandem.platform.rabbitmq_restart:
    name: rabbit@a.example.org
    nodes: [rabbit@a.example.org, rabbit@b.example.org, rabbit@c.example.org]
    unit: tandem-rabbitmq
    revision: /usr/lib/tandem/rabbitmq/revision
    running: /run/tandem-rabbitmq/revision
"""

RETURN = r"""
restarted:
  description: Whether the node was restarted.
  type: bool
  returned: always
"""

SPEC = {
    "name": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "unit": {"type": "str", "required": True},
    "revision": {"type": "str", "required": True},
    "running": {"type": "str", "required": True},
    "force": {"type": "bool", "default": False},
    "rebalance": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 180},
}


class Restart:
    """One node's restart."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.unit = f"{module.params['unit']}.service"
        self.timeout_s: int = module.params["timeout"]

    def due(self) -> bool:
        """Whether the node runs, and with something else than is there (or was asked to be restarted)."""
        running = Path(self.module.params["running"])
        if not running.exists():
            return False
        if self.module.params["force"]:
            return True
        done = subprocess.run([self.module.params["revision"]], capture_output=True, text=True, check=True)
        return done.stdout != running.read_text(encoding="utf-8")

    def gate(self) -> None:
        """Wait until no queue depends on this node; raises CliError."""
        running = cli.cluster_of(self.module.params["name"]).running
        lacking = [name for name in self.module.params["nodes"] if name not in running]
        if lacking:
            raise cli.CliError(f"{', '.join(lacking)} does not run")
        words = ["rabbitmq-upgrade", "await_online_quorum_plus_one", "--timeout", str(self.timeout_s)]
        cli.run(words, self.timeout_s + 30)

    def restart(self) -> None:
        """Hand over, restart, wait."""
        self.gate()
        cli.run(["rabbitmq-upgrade", "drain"], self.timeout_s)
        for words in (["daemon-reload"], ["restart", "tandem-epmd.service", self.unit]):
            done = systemd.run(words)
            if done.returncode != 0:
                found = systemd.show([self.unit])[self.unit]
                raise cli.CliError(systemd.describe(self.unit, found))
        cli.run(["rabbitmqctl", "await_startup", "--timeout", str(self.timeout_s)], self.timeout_s + 30)
        self.gate()
        if self.module.params["rebalance"]:
            cli.run(["rabbitmq-queues", "rebalance", "quorum"], self.timeout_s)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    task = Restart(module)
    name = module.params["name"]
    if not task.due():
        module.exit_json(changed=False, restarted=False)
    if module.params["absent"]:
        module.warn(f"{name} waits for a restart; it is not restarted while another node is missing")
        module.exit_json(changed=False, restarted=False)
    if module.check_mode:
        module.exit_json(changed=True, restarted=False)
    try:
        task.restart()
    except (cli.CliError, systemd.UnitError) as error:
        module.fail_json(
            msg=f"{name} waits for a restart, but {error}\nThe nodes after it were left as they are. "
            "Next: correct the cause and run again."
        )
    module.exit_json(changed=True, restarted=True)


if __name__ == "__main__":
    main()
