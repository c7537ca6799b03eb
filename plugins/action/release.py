# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Make releases of the catalog's apps, on the controller."""

# Ansible ships no type information; everything with types lives in plugin_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.tandem.platform.plugins.plugin_utils.releases import App, ReleaseError, make_all
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_cache import Cache, default_folder
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_target import Target

KINDS = ("folder", "wheel", "requirement")


class ActionModule(ActionBase):
    """Runs on the controller only; needs no connection to a host."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make what the cache lacks; also in check mode, because only the cache changes by it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "apps": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": {
                        "service": {"type": "str", "required": True},
                        "source_kind": {"type": "str", "required": True, "choices": list(KINDS)},
                        "source": {"type": "str", "required": True},
                        "python": {"type": "str", "default": Target.python},
                        "machine": {"type": "str", "default": Target.machine},
                    },
                },
                "cache": {"type": "path"},
            }
        )
        apps = [
            App(app["service"], app["source_kind"], app["source"], Target(app["python"], app["machine"]))
            for app in arguments["apps"]
        ]
        folder = Path(arguments["cache"]) if arguments["cache"] else default_folder()
        try:
            releases = make_all(apps, Cache(folder))
        except ReleaseError as error:
            raise AnsibleActionFail(f"Releases could not be made; nothing was changed.\n{error}") from None
        result["changed"] = False
        result["built"] = [release.service for release in releases if release.built]
        result["releases"] = {
            release.service: {"id": release.id, "archive": release.archive, "static": release.static}
            for release in releases
        }
        return result
