# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Put the revisions of a host's services into place: units, environments, credentials, limits of logs."""

# Ansible ships no type information; everything with types lives in plugin_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template
from ansible_collections.tandem.platform.plugins.plugin_utils import autoscaling, revisions, supervised
from ansible_collections.tandem.platform.plugins.plugin_utils.timers import SHORTEST_LEASE, Times

LIBRARY = "/opt/tandem/lib"
MIGRATION_PROGRAM = "migrate_service.py"


class ActionModule(ActionBase):
    """Everything is inert until `tandem.platform.instances` starts instances with it."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, hash, and hand all entries to `tandem.platform.files`."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "services": {"type": "list", "elements": "dict", "required": True},
                "releases": {"type": "dict", "required": True},
                "migrate": {"type": "list", "elements": "str", "default": []},
                "secrets_directory": {"type": "str", "default": ""},
                "lease_seconds": {"type": "int", "default": Times.lease},
                "grace_seconds": {"type": "int", "default": Times.grace},
            }
        )
        if arguments["lease_seconds"] < SHORTEST_LEASE:
            raise AnsibleActionFail(
                f"lease_seconds: {arguments['lease_seconds']} is too short. Next: write {SHORTEST_LEASE} or more"
            )
        self._times = Times(arguments["lease_seconds"], arguments["grace_seconds"])
        self._secrets_directory = arguments["secrets_directory"]
        migrate = set(arguments["migrate"])
        try:
            found = self._collect(arguments["services"], arguments["releases"], migrate, variables)
        except revisions.RevisionError as error:
            raise AnsibleActionFail(str(error)) from None
        entries, expected = found
        answer = self._place(entries, variables)
        result.update(answer)
        result["revisions"] = expected
        result["migrations"] = [
            {"name": service["name"], "release": service["release"]}
            for service in expected
            if service["name"] in migrate and service["migrates"]
        ]
        result["changed_logs"] = [
            service["name"]
            for service in expected
            if f"/etc/systemd/journald@{service['name']}.conf" in answer.get("changed_paths", [])
        ]
        return result

    def _collect(
        self,
        services: list[dict[str, Any]],
        releases: dict[str, Any],
        migrate: set[str],
        variables: dict[str, Any],
    ) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
        # In start order, so that what a service depends on is known.
        units: dict[str, list[str]] = {}
        entries: dict[str, list[Any]] = {"directories": [], "files": [], "absent": []}
        expected = []
        for view in services:
            inputs = self._inputs(view, releases, variables)
            rendered = self._render_all(inputs, variables)
            revision = revisions.revision_id(inputs, rendered)
            parts = [revisions.entries(inputs, rendered, revision, revisions.after(view, units))]
            units[inputs.name] = revisions.units(inputs, revision)
            here = revisions.migrates(view) and inputs.name in migrate
            password = self._secret(f"postgres/{view['database']['owner']}", variables) if here else ""
            parts.append(revisions.migration_entries(inputs, rendered, password, here))
            measure = (
                rendered.measure.replace(revisions.REVISION_MARK, revision) if rendered.measure else None
            )
            parts.append(autoscaling.measure_entries(inputs.name, measure))
            for part in parts:
                for section, listed in part.items():
                    entries[section] += listed
            expected.append(revisions.expected(inputs, revision))
        self._add_programs(services, entries)
        modules = Path(__file__).parents[1] / "module_utils"
        for section, listed in autoscaling.program_entries(services, modules, LIBRARY).items():
            # The library's folder may be there for other programs already.
            entries[section] += [entry for entry in listed if entry not in entries[section]]
        return entries, expected

    def _add_programs(self, services: list[dict[str, Any]], entries: dict[str, list[Any]]) -> None:
        """Add the platform's own programs that these services need."""
        programs = []
        if any(revisions.migrates(view) for view in services):
            programs.append(MIGRATION_PROGRAM)
        if any(view["manager"] == "supervisord" for view in services):
            programs.append(supervised.REVIVE_PROGRAM)
        if any(view.get("schedule") for view in services):
            folder = Path(self._find_needle("files", revisions.RUNNER))
            programs += [f"{folder.name}/{path.name}" for path in sorted(folder.glob("*.py"))]
        for folder_name in sorted({str(Path(LIBRARY, program).parent) for program in programs} | {LIBRARY}):
            entries["directories"] += [{"path": folder_name}] if programs else []
        entries["files"] += [{"path": f"{LIBRARY}/{program}", "source": program} for program in programs]

    def _inputs(
        self, view: dict[str, Any], releases: dict[str, Any], variables: dict[str, Any]
    ) -> revisions.Inputs:
        name = view.get("release_of") or view["name"]
        if name not in releases:
            raise revisions.RevisionError(
                f"{name} has no release. Next: build it with tandem.platform.release"
            )
        credentials = {
            secret["name"]: self._secret(secret["path"], variables, secret["kind"], secret["public"])
            for secret in view["secrets"]
        }
        if view["database"]:
            path = f"postgres/{view['database']['runtime']}"
            credentials["database_password"] = self._secret(path, variables)
        return revisions.Inputs(
            view=view,
            release=json.loads(Path(releases[name]["archive"]).read_text(encoding="utf-8")),
            credentials=credentials,
            env_files={path: self._loader.get_text_file_contents(path) for path in view["env_files"]},
            times=self._times,
        )

    def _secret(
        self, path: str, variables: dict[str, Any], kind: str = "random", public: bool = False
    ) -> str:
        lookup = self._shared_loader_obj.lookup_loader.get(
            "tandem.platform.secret", loader=self._loader, templar=self._templar
        )
        options = {"directory": self._secrets_directory} if self._secrets_directory else {}
        (value,) = lookup.run([path], variables=variables, kind=kind, public=public, **options)
        return str(value)

    def _render_all(self, inputs: revisions.Inputs, variables: dict[str, Any]) -> revisions.Rendered:
        context = inputs.context()

        def render(name: str) -> str:
            return self._render(name, context, variables)

        return revisions.Rendered(
            unit=render(inputs.unit_template),
            gunicorn=render("gunicorn.conf.py.j2") if inputs.view["wsgi"] else None,
            logging=render("journald.conf.j2"),
            migration=render("migrate.unit.j2"),
            timer=render("timer.unit.j2") if inputs.is_timer else None,
            measure=render("queue_length.unit.j2") if inputs.is_measured else None,
            supervised=supervised.Rendered(
                config=render("supervisord.conf.j2"),
                program=render("supervisord_program.conf.j2"),
                start=render("supervisord_start.sh.j2"),
            )
            if inputs.supervised
            else None,
        )

    def _render(self, name: str, context: dict[str, Any], variables: dict[str, Any]) -> str:
        found = self._find_needle("templates", name)
        text = trust_as_template(self._loader.get_text_file_contents(found))
        available = {
            "ansible_managed": constants.config.get_config_value("DEFAULT_MANAGED_STR"),
            **variables,
            **context,
        }
        templar = self._templar.copy_with_new_env(
            searchpath=[str(Path(found).parent)], available_variables=available
        )
        overrides = {"trim_blocks": True, "newline_sequence": "\n"}
        return str(templar.template(text, escape_backslashes=False, overrides=overrides))

    def _place(self, entries: dict[str, list[Any]], variables: dict[str, Any]) -> dict[str, Any]:
        task = self._task.copy()
        task.args = entries
        action = self._shared_loader_obj.action_loader.get(
            "tandem.platform.files",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        answer: dict[str, Any] = action.run(task_vars=variables)
        return answer
