#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Have a RabbitMQ node run as a member of its cluster."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_cli as cli
from ansible_collections.tandem.platform.plugins.module_utils import systemd
from ansible_collections.tandem.platform.plugins.module_utils.rabbitmq_node import (
    JOINING,
    MEMBER,
    NodeError,
    Place,
    entry,
)

DOCUMENTATION = r"""
module: rabbitmq_node
short_description: Have a RabbitMQ node run as a member of its cluster
description:
  - With C(join=false), starts a node that has a place in a cluster. Run it on all hosts at once, since after a loss of
    power nodes wait for a majority of each other. A node without data is left alone.
  - With C(join=true), gives a node without data its place. It joins a cluster that runs on another host; a place that
    it had before it lost its data is given up first, and its queues get their member here again. When no other node
    runs, it forms the cluster, if a majority of all hosts answers. Run it on one host after the other, after the step
    above.
  - A node with data is never reset.
options:
  name:
    description: Name of this node, such as C(rabbit@a.example.org).
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
  join:
    description: Whether to give a node without data its place.
    type: bool
    default: false
  unit:
    description: Its systemd unit without the suffix.
    type: str
    required: true
  state_directory:
    description: Where the data of the node lives, in a folder of its name.
    type: str
    required: true
  member_file:
    description: The file that says that the node has a place; its unit does not start without.
    type: str
    required: true
  timeout:
    description: Seconds that a start may take.
    type: int
    default: 180
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Join
  tandem.platform.rabbitmq_node:
    name: rabbit@a.example.org
    nodes: [rabbit@a.example.org, rabbit@b.example.org, rabbit@c.example.org]
    join: true
    unit: tandem-rabbitmq
    state_directory: /var/lib/rabbitmq/mnesia
    member_file: /var/lib/rabbitmq/mnesia/.tandem-member
"""

RETURN = r"""
steps:
  description: What was done, or would be.
  type: list
  elements: str
  returned: always
"""

SPEC = {
    "name": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "join": {"type": "bool", "default": False},
    "unit": {"type": "str", "required": True},
    "state_directory": {"type": "str", "required": True},
    "member_file": {"type": "str", "required": True},
    "timeout": {"type": "int", "default": 180},
}


class Node:
    """This host's node."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.name: str = module.params["name"]
        self.unit = f"{module.params['unit']}.service"
        state = Path(module.params["state_directory"])
        self.place = Place(Path(module.params["member_file"]), state / self.name)
        self.absent: list[str] = list(module.params["absent"])
        self.steps: list[str] = []

    def systemctl(self, *words: str) -> None:
        """Call systemctl; raises NodeError."""
        done = systemd.run(list(words))
        if done.returncode != 0:
            raise NodeError(f"systemctl {' '.join(words)}: {done.stderr.strip()}")

    def start(self) -> None:
        """Start the node now and at boot, and wait until it serves."""
        self.systemctl("daemon-reload")
        self.systemctl("enable", self.unit)
        # Without waiting: the start of one node may need that of another one.
        self.systemctl("start", "--no-block", self.unit)
        end = time.monotonic() + self.module.params["timeout"]
        while (found := systemd.show([self.unit])[self.unit]).active != "active":
            if time.monotonic() > end or found.active == "failed":
                raise NodeError(systemd.describe(self.unit, found))
            time.sleep(0.3)

    def run_member(self) -> None:
        """Start the node if it does not run, or would not at the next boot."""
        found = systemd.show([self.unit])[self.unit]
        if found.active == "active" and found.file_state in systemd.ENABLED:
            return
        self.steps.append("start")
        if not self.module.check_mode:
            self.start()

    def mark(self, state: str) -> None:
        """Note the node's state, for the unit and for the next run."""
        self.place.member_file.write_text(state, encoding="utf-8")
        shutil.chown(self.place.member_file, "rabbitmq", "rabbitmq")
        os.sync()

    def clear(self) -> None:
        """Take away what an interrupted run left of a node that never was a member."""
        self.systemctl("stop", self.unit)
        shutil.rmtree(self.place.data_directory, ignore_errors=True)
        self.place.member_file.unlink(missing_ok=True)

    def look_around(self) -> tuple[str, cli.Cluster] | None:
        """Find another node that runs, and its cluster; note who is out of reach."""
        for other in self.module.params["nodes"]:
            if other == self.name or other in self.absent:
                continue
            answer = cli.answer(other)
            if answer == "silent":
                self.absent.append(other)
            if answer != "listens":
                continue
            try:
                cluster = cli.cluster_of(other)
            except cli.CliError:
                continue
            if other in cluster.running:
                return other, cluster
        return None

    def get_in(self) -> None:
        """Form the cluster, or join it."""
        if self.module.check_mode:
            self.steps.append("form or join the cluster")
            return
        if self.place.state == "joining":
            self.clear()
        # The first command would start a port mapper of its own, outside the unit, which then could not start.
        self.systemctl("daemon-reload")
        self.systemctl("start", "tandem-epmd.service")
        found = self.look_around()
        members = found[1].members if found else None
        steps = entry(self.name, self.module.params["nodes"], self.absent, members)
        if found and "forget" in steps:
            cli.run(["rabbitmqctl", "--node", found[0], "forget_cluster_node", self.name])
        self.mark(JOINING)
        self.start()
        if found:
            self.join(*found)
        self.mark(MEMBER)
        self.steps += steps

    def join(self, seed: str, cluster: cli.Cluster) -> None:
        """Make the node, which runs for itself, a member of a cluster, and of its queues."""
        cli.run(["rabbitmqctl", "stop_app"])
        cli.run(["rabbitmqctl", "join_cluster", seed])
        cli.run(["rabbitmqctl", "start_app"], self.module.params["timeout"])
        if cluster.queues:
            cli.run(["rabbitmq-queues", "grow", self.name, "all"], self.module.params["timeout"])

    def converge(self) -> None:
        """Do what this step is for."""
        if self.place.state == "member":
            self.run_member()
        elif self.module.params["join"]:
            self.get_in()


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    node = Node(module)
    try:
        node.converge()
    except (NodeError, cli.CliError, systemd.UnitError) as error:
        module.fail_json(msg=f"{node.name}: {error}", steps=node.steps)
    module.exit_json(changed=bool(node.steps), steps=node.steps)


if __name__ == "__main__":
    main()
