#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Have exchanges, queues, bindings, policies and users in a RabbitMQ cluster, or remove those nobody wants any more."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_cli as cli
from ansible_collections.tandem.platform.plugins.module_utils import rabbitmq_objects as plans
from ansible_collections.tandem.platform.plugins.module_utils.rabbitmq_api import (
    Api,
    ApiError,
    Unauthorized,
    Unreachable,
    path,
)

DOCUMENTATION = r"""
module: rabbitmq_objects
short_description: Have exchanges, queues, bindings, policies and users in a RabbitMQ cluster
description:
  - Asks the HTTP API of the node on this host for all that is there, and imports what is missing or different in one
    request. Run it on one host of the cluster.
  - With C(remove=false) nothing is removed.
  - With C(remove=true) only removes what is not listed. A queue goes only when a majority of its members says that it
    is empty, nobody consumes from it, and no message waits elsewhere to come back to it. Others are kept with their
    policies and dead letters, get no new messages, and are reported with the command that would remove them.
  - An exchange or a queue that is there in another kind is refused, with the cure.
options:
  server:
    description: C(port), C(name) of the host in its certificate, C(ca) with which it is verified.
    type: dict
    required: true
  user:
    description: The administrator.
    type: str
    required: true
  password:
    description: Its password.
    type: str
    required: true
  definitions:
    description: File that has the administrator; imported when its password is refused, which a new one is at first.
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
  vhost:
    description: The vhost.
    type: str
    required: true
  exchanges:
    description: Keys C(name) and C(type).
    type: list
    elements: dict
    required: true
  queues:
    description: Quorum queues. Keys C(name) and C(policy), the definition of the policy of this queue alone.
    type: list
    elements: dict
    required: true
  bindings:
    description: Keys C(exchange), C(queue) and C(routing_key).
    type: list
    elements: dict
    required: true
  users:
    description: The users. What they may do are regular expressions.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      password_hash:
        description: Salted hash of its password, as RabbitMQ stores it.
        type: str
        required: true
      configure:
        description: What it may declare and delete.
        type: str
        required: true
      write:
        description: To which exchanges it may publish.
        type: str
        required: true
      read:
        description: From which queues it may consume.
        type: str
        required: true
  remove:
    description: Remove what is not listed instead of adding what is missing.
    type: bool
    default: false
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Have the objects
  tandem.platform.rabbitmq_objects:
    server: {port: 15671, name: a.example.org, ca: /etc/tandem/tls/ca.pem}
    user: tandem
    password: "{{ password }}"
    definitions: /etc/rabbitmq/definitions.json
    nodes: [rabbit@a.example.org]
    vhost: tandem
    exchanges: [{name: order.created, type: fanout}]
    queues: [{name: "mail:order.created", policy: {max-length: 100000}}]
    bindings: [{exchange: order.created, queue: "mail:order.created", routing_key: ""}]
    users: []
"""

RETURN = r"""
changes:
  description: What was changed, or would be.
  type: list
  elements: str
  returned: always
kept:
  description: Queues that nobody wants and that stay, each with C(queue), C(because) and C(to_remove_it_for_ever).
  type: list
  elements: dict
  returned: always
"""

SPEC: dict[str, Any] = {
    "server": {"type": "dict", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "definitions": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "vhost": {"type": "str", "required": True},
    "exchanges": {"type": "list", "elements": "dict", "required": True},
    "queues": {"type": "list", "elements": "dict", "required": True},
    "bindings": {"type": "list", "elements": "dict", "required": True},
    "users": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "password_hash": {"type": "str", "required": True, "no_log": True},
            "configure": {"type": "str", "required": True},
            "write": {"type": "str", "required": True},
            "read": {"type": "str", "required": True},
        },
    },
    "remove": {"type": "bool", "default": False},
}


class Broker:
    """The cluster, through the node on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.vhost: str = module.params["vhost"]
        self.want = plans.wanted(module.params)
        self.changes: list[str] = []
        self.kept: list[dict[str, str]] = []
        self.messages: dict[str, int] = {}

    def connect(self) -> None:
        """Open the API; a password that is new to the cluster is made known first."""
        parameters = self.module.params
        self.api = Api(parameters["server"], parameters["user"], parameters["password"])
        try:
            self.api.get("whoami")
        except Unauthorized:
            if self.module.check_mode:
                self.module.exit_json(changed=True, changes=["password of the administrator"], kept=[])
            cli.run(["rabbitmqctl", "import_definitions", parameters["definitions"]])
            self.changes.append("password of the administrator")

    def look(self) -> plans.Objects:
        """All that is there."""
        definitions = self.api.get("definitions")
        if self.vhost not in {entry["name"] for entry in definitions["vhosts"]}:
            raise ApiError(
                f"the cluster has no vhost {self.vhost}. Next: `rabbitmqctl import_definitions "
                f"{self.module.params['definitions']}` on this host."
            )
        queues = self.api.get("queues", self.vhost)
        self.messages = {entry["name"]: entry.get("messages") or 0 for entry in queues}
        return plans.present(self.vhost, definitions, queues, self.api.get("bindings", self.vhost))

    def check_members(self) -> None:
        """Refuse to go on when a node that answers is not a member; name members that nobody wants."""
        members = {entry["name"]: entry["running"] for entry in self.api.get("nodes")}
        nodes, absent = self.module.params["nodes"], self.module.params["absent"]
        strangers = [name for name in nodes if name not in members and name not in absent]
        if strangers and not self.module.check_mode:  # a check does not join them
            raise ApiError(
                f"{', '.join(strangers)} is not a member of the cluster. Next: run on all hosts, without --limit. If "
                "it stays so, its data is of another cluster: see docs/rabbitmq.md, 'A node is of another cluster'."
            )
        for name in sorted(set(members) - set(nodes)):
            if members[name]:
                self.module.warn(
                    f"{name} is a member and not in the inventory; stop it, and the next run forgets it"
                )
            elif self.module.params["remove"]:
                self.changes.append(f"node {name} is forgotten")
                if not self.module.check_mode:
                    cli.run(["rabbitmqctl", "forget_cluster_node", name])

    def have(self) -> None:
        """Add what is missing, change what differs."""
        have = self.look()
        problems = plans.conflicts(self.want, have)
        if problems:
            raise ApiError("Nothing was changed.\n" + "\n".join(problems))
        definitions, changes = plans.additions(self.vhost, self.want, have)
        self.changes += changes
        if definitions and not self.module.check_mode:
            self.api.call("POST", path("definitions"), definitions)

    def remove(self) -> None:
        """Remove what nobody wants."""
        have = self.look()
        left = plans.leftovers(self.want, have, self.module.params["user"])
        surely_kept = {
            name: f"it holds {count} messages"
            for name, count in self.messages.items()
            if name in left.queues and count
        }
        # Nothing new comes in while the queues are asked, so what brings messages goes first.
        sources = plans.keep(left, have, left.queues).bindings
        for binding in sources:
            self.unbind(binding)
        reasons = surely_kept | self.ask(left, have, surely_kept)
        going = plans.keep(left, have, reasons)
        for binding in going.bindings:
            if binding not in sources and binding.queue not in going.queues:
                self.unbind(binding)
        for kind in ("queues", "policies", "exchanges"):
            for name in getattr(going, kind):
                self.delete(kind, name)
        for name in going.users:
            self.delete("users", name)
        self.report(left, going, reasons)

    def ask(self, left: plans.Leftovers, have: plans.Objects, kept: dict[str, str]) -> dict[str, str]:
        """Why queues that seem to be empty have to stay."""
        candidates = [name for name in left.queues if name not in kept]
        if not candidates:
            return {}
        rooms = plans.waiting_rooms(have)
        holdings = cli.holdings(self.vhost, sorted({*candidates, *rooms}))
        return plans.verdicts(candidates, holdings, rooms)

    def unbind(self, binding: plans.Binding) -> None:
        """Remove one binding."""
        self.changes.append(f"no {binding}")
        if self.module.check_mode:
            return
        way = ("bindings", self.vhost, "e", binding.exchange, "q", binding.queue)
        for found in self.api.get(*way):
            if found["routing_key"] == binding.routing_key:
                self.api.delete(*way, found["properties_key"])

    def delete(self, kind: str, name: str) -> None:
        """Remove one object."""
        singular = {
            "queues": "queue",
            "exchanges": "exchange",
            "policies": "policy of queue",
            "users": "user",
        }
        self.changes.append(f"no {singular[kind]} {name}")
        if self.module.check_mode:
            return
        place = (kind, name) if kind == "users" else (kind, self.vhost, name)
        self.api.delete(*place)

    def report(self, left: plans.Leftovers, going: plans.Leftovers, reasons: dict[str, str]) -> None:
        """Name the queues that stay."""
        for name in left.queues:
            if name not in going.queues:
                command = f"rabbitmqctl delete_queue --vhost {self.vhost} '{name}'"
                because = reasons.get(name, "it takes the dead letters of another one of these")
                self.kept.append({"queue": name, "because": because, "to_remove_it_for_ever": command})


def predicted(broker: Broker) -> None:
    """End a check where no broker is yet: everything would be made, nothing removed."""
    if not broker.module.params["remove"]:
        broker.changes += plans.additions(broker.vhost, broker.want, plans.NOTHING)[1]
    finish(broker)


def finish(broker: Broker) -> None:
    """Report."""
    result: dict[str, Any] = {
        "changed": bool(broker.changes),
        "changes": broker.changes,
        "kept": broker.kept,
    }
    if broker.module._diff and broker.changes:
        result["diff"] = {"prepared": "\n".join(broker.changes) + "\n"}
    broker.module.exit_json(**result)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    broker = Broker(module)
    try:
        broker.connect()
        broker.check_members()
        if module.params["remove"]:
            broker.remove()
        else:
            broker.have()
    except Unreachable as error:
        if module.check_mode:
            predicted(broker)
        module.fail_json(msg=str(error), changes=broker.changes, kept=[])
    except (ApiError, cli.CliError) as error:
        module.fail_json(msg=str(error), changes=broker.changes, kept=broker.kept)
    finish(broker)


if __name__ == "__main__":
    main()
