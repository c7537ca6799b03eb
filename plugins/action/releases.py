# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Ask a host which releases and wheels it lacks, send those, have them installed."""

# Ansible ships no type information; everything with types lives in plugin_utils and module_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.tandem.platform.plugins.plugin_utils.bundles import execute_with_bundle
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_cache import Cache, bundle

MODULE = "tandem.platform.releases"


class ActionModule(ActionBase):
    """The controller's half of `tandem.platform.releases`."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send what is missing; nothing is sent on most runs."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "releases": {"type": "dict", "required": True},
                "services": {"type": "list", "elements": "str"},
            }
        )
        wanted = arguments["services"]
        archives = [
            Path(release["archive"])
            for service, release in arguments["releases"].items()
            if wanted is None or service in wanted
        ]
        descriptions = json.dumps([self._description(path) for path in archives])
        answer = self._execute_module(
            module_name=MODULE, module_args={"descriptions": descriptions}, task_vars=variables
        )
        if answer.get("installed") and not self._task.check_mode and not answer.get("failed"):
            answer = self._install(archives[0], descriptions, answer["missing_wheels"], variables)
        answer.pop("missing_wheels", None)
        answer.pop("invocation", None)
        result.update(answer)
        return result

    def _description(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise AnsibleActionFail(
                f"{path} is gone from the cache. Next: run again, it is made anew"
            ) from None

    def _install(
        self, archive: Path, descriptions: str, wheels: list[str], variables: dict[str, Any]
    ) -> dict[str, Any]:
        # The cache holds descriptions and wheels side by side.
        cache = Cache(archive.parent.parent)
        with tempfile.TemporaryDirectory(prefix="tandem-bundle-") as place:
            local = Path(place, "wheels.tar")
            bundle(cache, wheels, local)
            return execute_with_bundle(self, MODULE, {"descriptions": descriptions}, local, variables)
