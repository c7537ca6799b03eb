# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Install Debian packages: ask dpkg on the host, and apt only when something is missing."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.plugins.action import ActionBase


def with_fresh_lists(install: Callable[[int], dict[str, Any]], valid_for: int) -> dict[str, Any]:
    """Install, and once more with fresh lists when that fails.

    ``install`` takes the seconds for which lists are taken as fresh: a repository may have got the package since.
    """
    done = install(valid_for)
    return install(0) if done.get("failed") and valid_for else done


class ActionModule(ActionBase):
    """The controller's half of `tandem.platform.packages`."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Find out what is missing, and install it unless in check mode."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        missing = result.get("missing", [])
        if result.get("failed") or not missing:
            return result
        result["changed"] = True
        if self._task.diff:
            result["diff"] = [{"prepared": f"packages to install: {', '.join(missing)}\n"}]
        if self._task.check_mode:
            return result

        def install(valid_for: int) -> dict[str, Any]:
            arguments = {
                "name": missing,
                "update_cache": True,
                "cache_valid_time": valid_for,
                "install_recommends": False,
            }
            done: dict[str, Any] = self._execute_module(
                module_name="ansible.builtin.apt", module_args=arguments, task_vars=task_vars
            )
            return done

        installed = with_fresh_lists(install, self._task.args.get("cache_valid_time", 3600))
        if installed.get("failed"):
            cure = (
                "Next: `apt-get update` and `apt-cache policy` on the host show what its repositories offer."
            )
            return {**installed, "missing": missing, "msg": f"{installed.get('msg', '')}. {cure}"}
        result["cache_updated"] = installed.get("cache_updated", False)
        return result
