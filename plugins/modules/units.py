#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Bring many systemd units into their states in one task."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import systemd

DOCUMENTATION = r"""
module: units
short_description: Bring many systemd units into their states in one task
description:
  - Asks systemd about all units in one call, and changes them in one call per verb (mask, unmask,
    daemon-reload, enable, disable, stop, start, reload, restart, in this order).
  - Units of one task change at the same time. Members of a quorum belong into separate tasks or hosts' turns.
  - In check mode a unit that does not exist yet is a predicted change.
  - A unit that does not come up fails the task with its state and the end of its journal.
options:
  units:
    description: The units; those not listed are left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Whole name, such as C(users@1.service). Templates (C(x@.service)) can only be masked.
        type: str
        required: true
      state:
        description:
          - C(started) and C(stopped) act when needed. C(restarted) and C(reloaded) always act, and are for
            handlers.
          - C(reloaded) starts a unit that is not running; C(reloaded_if_running) leaves it alone, also when it does
            not exist.
        type: str
        choices: [started, stopped, restarted, reloaded, reloaded_if_running]
      enabled:
        description: Whether it starts at boot. Static units count as enabled.
        type: bool
      masked:
        description:
          - Whether it is kept from starting. Works before the package is installed, which keeps a package
            from starting its daemon. Stops a running unit.
        type: bool
  daemon_reload:
    description:
      - C(auto) reloads systemd when the unit file of a listed unit changed on disk.
      - C(always) is for changes that systemd doesn't notice by itself, such as a service behind a listed
        timer.
      - A reload alone does not count as a change.
    type: str
    choices: [auto, always, never]
    default: auto
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Run the service
  tandem.platform.units:
    units:
      - name: haproxy.service
        state: started
        enabled: true
      - name: postgresql.service
        masked: true
"""

RETURN = r"""
changed_units:
  description: What was done, or would be in check mode, as verb and unit.
  type: list
  elements: str
  returned: always
  sample: ["enable haproxy.service", "start haproxy.service"]
daemon_reloaded:
  description: Whether systemd read its unit files again.
  type: bool
  returned: always
"""

Step = tuple[str, list[str]]


def predict(units: list[systemd.Wanted], found: dict[str, systemd.Found]) -> list[Step]:
    """Return the steps of a run, as far as they can be seen without making any."""
    unmasked = {
        name: systemd.Found(file_state="disabled", load="loaded", active=seen.active, sub=seen.sub)
        if seen.masked
        else seen
        for name, seen in found.items()
    }
    steps = systemd.unit_file_steps(units, found)
    return steps + systemd.enable_steps(units, unmasked) + systemd.state_steps(units, unmasked)


def make(steps: list[Step], done: list[Step]) -> None:
    """Make steps one after another and note them in `done`. Raises `UnitError`."""
    for verb, names in steps:
        result = systemd.run([verb, "--", *names])
        if result.returncode != 0:
            raise systemd.UnitError(_refusal(verb, names, result.stderr.strip() or result.stdout.strip()))
        done.append((verb, names))


def _refusal(verb: str, names: list[str], said: str) -> str:
    """Describe a failed call: what systemctl said, and the units that it may have been about."""
    told = []
    if verb in {"start", "restart", "reload"}:
        told = [
            systemd.describe(name, seen)
            for name, seen in systemd.show(names).items()
            if verb == "reload" or not seen.running
        ]
    return "\n".join([f"systemctl {verb} {' '.join(names)}: {said}", *told])


def converge(units: list[systemd.Wanted], daemon_reload: str, done: list[Step]) -> bool:
    """Bring the units into their states and note the steps in `done`; return whether systemd reloaded."""
    names = [unit.name for unit in units]
    found = systemd.show(names)
    masking = systemd.unit_file_steps(units, found)
    make(masking, done)
    # A unit that systemd was asked for before its file was there may be remembered as missing.
    outdated = any(seen.stale for seen in found.values()) or bool(systemd.missing(units, found))
    reload = daemon_reload == "always" or (daemon_reload == "auto" and outdated)
    if reload:
        result = systemd.run(["daemon-reload"])
        if result.returncode != 0:
            raise systemd.UnitError(f"systemctl daemon-reload: {result.stderr.strip()}")
    if masking or reload:
        found = systemd.show(names)
    absent = systemd.missing(units, found)
    if absent:
        raise systemd.UnitError("\n".join(absent))
    make(systemd.enable_steps(units, found), done)
    changes = systemd.state_steps(units, found)
    make(changes, done)
    if any(verb != "stop" for verb, _ in changes):
        failed = systemd.failures(units)
        if failed:
            raise systemd.UnitError("\n".join(failed))
    return reload


def main() -> None:
    """Check the wishes, then predict or converge."""
    unit_spec: dict[str, Any] = {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": list(systemd.STATES)},
        "enabled": {"type": "bool"},
        "masked": {"type": "bool"},
    }
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "options": unit_spec, "default": []},
            "daemon_reload": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
        },
        supports_check_mode=True,
    )
    units = [systemd.Wanted(**unit) for unit in module.params["units"]]
    steps: list[Step] = []
    reloaded = False
    try:
        systemd.check(units)
        if module.check_mode:
            steps = predict(units, systemd.show([unit.name for unit in units]))
        else:
            reloaded = converge(units, module.params["daemon_reload"], steps)
    except systemd.UnitError as error:
        module.fail_json(msg=str(error), changed=bool(steps), changed_units=_readable(steps))
    module.exit_json(changed=bool(steps), changed_units=_readable(steps), daemon_reloaded=reloaded)


def _readable(steps: list[Step]) -> list[str]:
    return [f"{verb} {name}" for verb, names in steps for name in names]


if __name__ == "__main__":
    main()
