# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Ask an edge which releases' files for browsers it lacks, send those, have them placed."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.tandem.platform.plugins.plugin_utils.bundles import execute_with_bundle

MODULE = "tandem.platform.static_files"


class ActionModule(ActionBase):
    """The controller's half of `tandem.platform.static_files`."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send what is missing; nothing is sent on most runs."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "releases": {"type": "dict", "default": {}},
                "keep": {"type": "int", "default": 3},
            }
        )
        releases = arguments["releases"]
        wanted = {name: release["id"] if release.get("static") else "" for name, release in releases.items()}
        parameters = {"wanted": wanted, "keep": arguments["keep"]}
        answer = self._execute_module(module_name=MODULE, module_args=parameters, task_vars=variables)
        if answer.get("missing") and not self._task.check_mode and not answer.get("failed"):
            archives = {name: Path(releases[name]["static"]) for name in answer["missing"]}
            answer = self._place(archives, parameters, variables)
        answer.pop("missing", None)
        answer.pop("invocation", None)
        result.update(answer)
        return result

    def _place(
        self, archives: dict[str, Path], parameters: dict[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="tandem-static-") as place:
            local = Path(place, "static.tar")
            with tarfile.open(local, "w", format=tarfile.PAX_FORMAT) as bundle:
                for name, archive in archives.items():
                    try:
                        bundle.add(archive, arcname=f"{name}.tar")
                    except FileNotFoundError:
                        raise AnsibleActionFail(
                            f"{archive} is gone from the cache. Next: run again, it is made anew"
                        ) from None
            return execute_with_bundle(self, MODULE, parameters, local, variables)
