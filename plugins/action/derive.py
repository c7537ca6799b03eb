# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Validate the inventory and derive everything from it, on the controller alone (see modules/derive.py)."""

# Ansible ships no type information.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.inventory.manager import IGNORED
from ansible.plugins.action import ActionBase
from ansible.template import Templar

try:
    from ..plugin_utils.calendars import controller_calendar
    from ..plugin_utils.derive import Inputs, derive
    from ..plugin_utils.plain import Plainer
    from ..plugin_utils.problems import Problem, Report, shown, text_of
    from ..plugin_utils.project_files import ControllerFiles
    from ..plugin_utils.secrets_folder import check_secrets_folder
    from ..plugin_utils.settings import HOST_VARIABLES, PREFIX

    MISSING = None
except ImportError as error:
    MISSING = error

GROUP = "platform"


class ActionModule(ActionBase):
    """The action of ``tandem.platform.derive``."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the derived structure, or fail with the list of all problems."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if MISSING is not None:
            raise AnsibleActionFail(
                f"The controller's Python lacks a library of Tandem: {MISSING}. "
                "Cure: pip install 'pydantic>=2.7' where ansible-playbook is installed."
            )
        report = Report()
        inputs = read_inputs(task_vars or {}, self._templar, report)
        derivation = derive(inputs, ControllerFiles(), controller_calendar())
        problems = [*report.problems, *news(derivation.problems, report.problems)]
        if problems or derivation.platform is None:
            result.update(failed=True, msg=text_of(problems))
            return result
        # The whole structure is long; -vvv shows it, and playbooks/config.yml shows it well.
        result.update(derivation.platform, changed=False, _ansible_verbose_override=True)
        return result


def news(problems: list[Problem], unevaluated: list[Problem]) -> list[Problem]:
    """Return the problems that do not just follow from a variable that could not be evaluated."""
    roots = tuple(f"{problem.where}." for problem in unevaluated)
    return [problem for problem in problems if not f"{problem.where}.".startswith(roots)]


def read_inputs(task_vars: Mapping[str, Any], templar: Templar, report: Report) -> Inputs:
    """Return the inventory as plain data: the variables of group ``platform``, evaluated for each host."""
    groups = {str(name): [str(host) for host in hosts] for name, hosts in task_vars["groups"].items()}
    raw = {host: task_vars["hostvars"].raw_get(host) for host in groups.get(GROUP, [])}
    common: dict[str, Any] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for host, variables in raw.items():
        render = templar.copy_with_new_env(available_variables=variables).template
        plainer = Plainer(render, AnsibleError, report)
        for key in sorted(variables):
            if is_common(key) and key not in common:
                common[key] = plainer.plain(key, variables[key])
        hosts[host] = {
            key: plainer.plain(f"hosts.{host}.{key}", variables[key])
            for key in (*HOST_VARIABLES, "ansible_host")
            if key in variables
        }
    _check_common(common, raw, report)
    secrets = resolved(common.get("platform_secrets_dir"))
    check_secrets_folder(secrets, inventory_folders(task_vars), is_ignored, report)
    return Inputs(
        platform={key: value for key, value in common.items() if key.startswith(PREFIX)},
        services=common.get("services"),
        override=common.get("services_override"),
        groups=groups,
        hosts=hosts,
    )


def is_common(key: str) -> bool:
    """Tell whether a variable describes the platform, not one host."""
    return key in {"services", "services_override"} or (key.startswith(PREFIX) and key not in HOST_VARIABLES)


def _check_common(common: Mapping[str, Any], raw: Mapping[str, Mapping[str, Any]], report: Report) -> None:
    """Refuse a platform's variable that some hosts have and others do not, or with another value."""
    for key in common:
        values = {host: variables.get(key) for host, variables in raw.items()}
        first = next(iter(values.values()))
        others = [host for host, value in values.items() if value != first]
        if others:
            report.refuse(
                key,
                f"differs between hosts: {shown(others[:3])} see another value than {next(iter(values))}",
                "set it once for all hosts, in group_vars/all",
            )


def resolved(folder: Any) -> Any:
    """Return an absolute folder without links and dots; anything else unchanged."""
    return str(Path(folder).resolve()) if isinstance(folder, str) and folder.startswith("/") else folder


def inventory_folders(task_vars: Mapping[str, Any]) -> list[str]:
    """Return the inventory sources that are folders, absolute."""
    sources = [Path(str(source)) for source in task_vars.get("ansible_inventory_sources") or ()]
    return [str(source.resolve()) for source in sources if source.is_dir()]


def is_ignored(name: str) -> bool:
    """Tell whether Ansible passes over a file or folder of this name when it reads an inventory folder."""
    return IGNORED.search(name.encode()) is not None
