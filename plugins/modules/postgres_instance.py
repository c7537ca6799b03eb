#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Create a pg_auto_failover monitor or data node, once."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import postgres_host as host
from ansible_collections.tandem.platform.plugins.module_utils import postgres_instance as instances

DOCUMENTATION = r"""
module: postgres_instance
short_description: Create a pg_auto_failover monitor or data node, once
description:
  - Makes the database (with checksums; no local user is trusted at any moment) or copies it from the primary,
    registers it at the monitor, and makes Tandem's settings the last ones of C(postgresql.conf).
  - An attempt that failed half-way is taken up again. What exists is left alone, apart from the keeper's
    address and network partition timeout.
  - A node whose disk was replaced takes its old place, if the other node leads and is healthy.
  - Refuses to make a second, empty cluster beside one that runs.
options:
  kind:
    description: What this host is.
    type: str
    required: true
    choices: [monitor, node]
  data_directory:
    description: Where the database lives.
    type: str
    required: true
  address:
    description: Address by which the other hosts reach this one.
    type: str
    required: true
  port:
    description: Port of the instance.
    type: int
    required: true
  name:
    description: Name of the node at the monitor.
    type: str
    default: ""
  include:
    description: File with the settings that come last.
    type: str
    required: true
  tls:
    description: Paths C(ca), C(certificate) and C(key).
    type: dict
    required: true
  unit:
    description: Its systemd unit without the suffix; also the name of its folder in /run.
    type: str
    required: true
  nodes:
    description: All data nodes, each with C(address) and C(port).
    type: list
    elements: dict
    required: true
  monitor:
    description: The monitor's C(address) and C(port).
    type: dict
    required: true
  network_partition_timeout:
    description: After how many seconds without monitor and standby a primary fences itself.
    type: int
    default: 20
  timeout:
    description: Seconds that each step may take. The copy of a large database takes long.
    type: int
    default: 3600
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Create the monitor
  tandem.platform.postgres_instance:
    kind: monitor
    data_directory: /var/lib/postgresql/17/monitor
    address: 10.63.0.11
    port: 5431
    include: /etc/tandem/postgres/monitor.conf
    tls:
      ca: /etc/tandem/tls/ca.pem
      certificate: /etc/tandem/tls/postgres/certificate.pem
      key: /etc/tandem/tls/postgres/key.pem
    unit: tandem-postgres-monitor
    nodes: [{address: 10.61.0.31, port: 5432}]
    monitor: {address: 10.63.0.11, port: 5431}
"""

RETURN = r"""
created:
  description: Whether the instance was created (or would be, in check mode).
  type: bool
  returned: always
"""

SPEC = {
    "kind": {"type": "str", "required": True, "choices": ["monitor", "node"]},
    "data_directory": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "name": {"type": "str", "default": ""},
    "include": {"type": "str", "required": True},
    "tls": {"type": "dict", "required": True},
    "unit": {"type": "str", "required": True},
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "monitor": {"type": "dict", "required": True},
    "network_partition_timeout": {"type": "int", "default": 20},
    "timeout": {"type": "int", "default": 3600},
}


def keeper_changed(module: AnsibleModule, instance: instances.Instance, created: bool) -> bool:
    """Bring the keeper's settings in order and tell a running keeper."""
    if module.check_mode:
        return not instances.is_configured(instance)
    changed = instances.configure(instance)
    if changed and not created:
        module.run_command(["systemctl", "reload", f"{module.params['unit']}.service"], check_rc=True)
    return changed


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params
    instance = instances.Instance(
        kind=given["kind"],
        data_directory=Path(given["data_directory"]),
        address=given["address"],
        port=given["port"],
        name=given["name"],
        include=given["include"],
        tls=given["tls"],
        runtime=f"/run/{given['unit']}",
        peers=[(node["address"], int(node["port"])) for node in given["nodes"]],
        monitor_address=given["monitor"]["address"],
        monitor_port=int(given["monitor"]["port"]),
        network_partition_timeout_s=given["network_partition_timeout"],
        timeout_s=given["timeout"],
    )
    created = not instances.is_created(instance)
    if created and module.check_mode:
        module.exit_json(changed=True, created=True)
    try:
        if created:
            instances.create(instance)
        changed = keeper_changed(module, instance, created)
        if not module.check_mode:
            changed |= instances.ensure_include(instance)
    except host.HostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=created or changed, created=created)


if __name__ == "__main__":
    main()
