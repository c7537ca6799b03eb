# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""One step of changing a key that signs tokens, in the controller's store alone (see modules/signing_key.py)."""

# Ansible ships no type information; everything with types lives in plugin_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.secrets import SecretError
from ..plugin_utils.signing_keys import SigningKey, secret_name


class ActionModule(ActionBase):
    """The action of `tandem.platform.signing_key`."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do the step and return what is there now. Predicts nothing: what would follow from it is not there."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "key": {"type": "str", "required": True},
                "services": {"type": "dict", "required": True},
                "step": {"type": "str", "choices": ["prepare", "switch", "retire"], "required": True},
                "minimum_age": {"type": "int", "default": 900},
            }
        )
        if self._task.check_mode:
            return {**result, "skipped": True, "msg": "keys are not changed in check mode"}
        lookup = self._shared_loader_obj.lookup_loader.get(
            "tandem.platform.secret", loader=self._loader, templar=self._templar
        )
        try:
            name = secret_name(arguments["key"], arguments["services"])
            key = SigningKey(lookup.store(variables), name)
            steps = {
                "prepare": lambda: key.prepare(arguments["minimum_age"]),
                "switch": key.switch,
                "retire": key.retire,
            }
            changed = steps[arguments["step"]]()
        except SecretError as error:
            raise AnsibleActionFail(str(error)) from None
        return {**result, "changed": changed, "state": list(key.state())}
