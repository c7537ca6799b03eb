# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Find the hosts of the play that do not answer, from the controller alone (see modules/reach.py)."""

# Ansible ships no type information; everything with types lives in plugin_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.reachability import target_of, unreachable


class ActionModule(ActionBase):
    """The action of `tandem.platform.reach`."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"timeout"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Try all hosts at once and return those that are left out, with the reasons."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        names = [str(name) for name in variables.get("ansible_play_hosts_all", [])]
        hostvars = variables.get("hostvars", {})
        targets = {name: target for name in names if (target := target_of(name, hostvars[name])) is not None}
        reasons = unreachable(targets, float(self._task.args.get("timeout", 2)))
        if names and len(reasons) == len(names):
            raise AnsibleActionFail(
                "No host answers on its SSH port: "
                + "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
                + ". Next: check the network between here and the hosts, and that they run."
            )
        result.update(changed=False, left_out=list(reasons), reasons=reasons)
        return result
