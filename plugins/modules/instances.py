#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Start, restart, stop and reload instances of services, behind a drain."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tandem.platform.plugins.module_utils import instances_verbs, service_host
from ansible_collections.tandem.platform.plugins.module_utils.instances_door import Door, DoorError
from ansible_collections.tandem.platform.plugins.module_utils.instances_managers import Managers
from ansible_collections.tandem.platform.plugins.module_utils.instances_plan import Expected
from ansible_collections.tandem.platform.plugins.module_utils.instances_roll import Roller, RollError, Times
from ansible_collections.tandem.platform.plugins.module_utils.instances_systemd import Systemd, SystemdError

DOCUMENTATION = r"""
module: instances
short_description: Start, restart, stop and reload instances of services, behind a drain
description:
  - An instance is out of date when the process that runs is of another revision (release, environment, secrets
    and unit) than the one that is deployed; what is on disk plays no part in this.
  - An instance is restarted after the host's door sends it no more requests and those in flight have ended.
    The last usable instance of a service on a host is restarted after edges and other hosts send the service's
    requests elsewhere. Hosts without a door restart plainly.
  - What runs a service is systemd, or a supervisord of its own. Where that has changed, instances go over in the
    same way as to a new revision.
  - An instance that does not come up healthy with a new revision goes back to the one it ran, and the task
    fails; all others go on with what they run, also after a reboot.
options:
  state:
    description:
      - C(present) does what disturbs no request, and may run on all hosts at once. It installs units, starts
        missing instances, stops surplus ones, and returns what is out of date.
      - C(current) restarts what is out of date, one instance after another. Run it on one host at a time.
      - C(restarted) and C(reloaded) do so with every running instance, C(started) and C(stopped) with all.
    type: str
    choices: [present, current, started, stopped, restarted, reloaded]
    required: true
  services:
    description:
      - For C(present) and C(current), what is expected, as C(revisions) of the result of
        M(tandem.platform.service_revisions). In the order in which to start.
    type: list
    elements: dict
    default: []
  names:
    description: For the other states, the services by name, as they are deployed.
    type: list
    elements: str
    default: []
  alone:
    description: Services that no other host runs, so that requests can't go elsewhere.
    type: list
    elements: str
    default: []
  changed_logs:
    description: Services whose limits of logs have changed.
    type: list
    elements: str
    default: []
  start_seconds:
    description: How long an instance may take until it is healthy.
    type: float
    default: 120
  drain_seconds:
    description: How long requests in flight may take before the instance is stopped nevertheless.
    type: float
    default: 30
  notice_seconds:
    description: After how long the checks of all callers have seen that a service is gone from this host.
    type: float
    default: 5
  back_seconds:
    description: After how long they have seen that it is back.
    type: float
    default: 4
  door_socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Install units and start what is missing
  tandem.platform.instances:
    state: present
    services: "{{ placed.revisions }}"
  register: found

- name: Restart the instances of users, one after another
  tandem.platform.instances:
    state: restarted
    names: [users]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  type: list
  elements: str
  returned: always
  sample: ["restart users@1"]
restarts:
  description: Instances that are out of date, with state C(present).
  type: list
  elements: str
  returned: always
"""

ARGUMENTS: dict[str, Any] = {
    "state": {
        "type": "str",
        "required": True,
        "choices": ["present", "current", "started", "stopped", "restarted", "reloaded"],
    },
    "services": {"type": "list", "elements": "dict", "default": []},
    "names": {"type": "list", "elements": "str", "default": []},
    "alone": {"type": "list", "elements": "str", "default": []},
    "changed_logs": {"type": "list", "elements": "str", "default": []},
    "start_seconds": {"type": "float", "default": 120},
    "drain_seconds": {"type": "float", "default": 30},
    "notice_seconds": {"type": "float", "default": 5},
    "back_seconds": {"type": "float", "default": 4},
    "door_socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
}


def roller(parameters: dict[str, Any]) -> Roller:
    """Return what acts on this host."""
    times = Times(
        start=parameters["start_seconds"],
        drain=parameters["drain_seconds"],
        notice=parameters["notice_seconds"],
        back=parameters["back_seconds"],
    )
    door = Door(Path(parameters["door_socket"]))
    return Roller(Managers(Systemd()), door, times, alone=frozenset(parameters["alone"]))


def run(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what the state says and return the result."""
    services = [Expected.read(values) for values in parameters["services"]]
    if parameters["state"] not in ("present", "current"):
        services = [Expected.read(service_host.manifest(name)) for name in parameters["names"]]
    acting = roller(parameters)
    verb = instances_verbs.VERBS[parameters["state"]]
    if check_mode:
        return verb(acting, services, True)
    with service_host.exclusive():
        result = verb(acting, services, False)
        for name in parameters["changed_logs"]:
            acting.managers.systemd.call("try-restart", "--", f"systemd-journald@{name}.service")
    return result


def main() -> None:
    """Read the arguments, act, tell."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module.params, module.check_mode)
    except (RollError, SystemdError, DoorError, service_host.HostError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
