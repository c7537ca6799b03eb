# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Print a service's logs while they are written (see modules/service_logs.py)."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

PAUSE_SECONDS = 1.0
display = Display()


class ActionModule(ActionBase):
    """The controller's half of `tandem.platform.service_logs`: asks for what is new, and prints it at once."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print until `follow` seconds are over."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        host = variables["inventory_hostname"]
        arguments = dict(self._task.args)
        end = time.monotonic() + float(arguments.get("follow", 0))
        while True:
            result.update(self._execute_module(module_args=arguments, task_vars=variables))
            if result.get("failed"):
                return result
            for line in result["lines"]:
                display.display(f"{host} | {line}")
            if time.monotonic() >= end:
                return result
            arguments["after"] = result["after"]
            time.sleep(PAUSE_SECONDS)
