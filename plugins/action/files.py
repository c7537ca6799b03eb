# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Render all files of a task on the controller and hand them to one module call on the host."""

# Ansible ships no type information; everything with types lives in plugin_utils and module_utils.
# mypy: disable-error-code="import-untyped, misc"

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ..plugin_utils.file_entries import (
    Entry,
    EntryError,
    notifications,
    parse,
)

# Everything travels inside the module call; archives belong to ansible.builtin.copy.
LARGEST_TASK_BYTES = 4 * 1024 * 1024


class ActionModule(ActionBase):
    """The controller's half of `tandem.platform.files`."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, send, and notify the handlers of what changed."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        try:
            entries = parse(self._task.args)
        except EntryError as error:
            raise AnsibleActionFail(f"tandem.platform.files was given wrong arguments:\n{error}") from None
        payload = json.dumps(self._payload(entries, variables))
        answer = self._execute_module(
            module_name="tandem.platform.files", module_args={"rendered": payload}, task_vars=variables
        )
        answer.pop("invocation", None)
        result.update(answer)
        self._notify(notifications(entries, result.get("changed_paths", [])))
        return result

    def _notify(self, names: list[str]) -> None:
        # The task executor copies the task's own `notify` into the result after this plugin has run, so
        # adding to it (in this process's copy of the task) names the handlers of this host's run only.
        if names:
            self._task.notify = [*(self._task.notify or []), *names]

    def _payload(self, entries: list[Entry], variables: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        payload: dict[str, list[dict[str, Any]]] = {}
        size = 0
        for entry in entries:
            item = dict(entry.settings)
            if entry.origin is not None:
                content = self._content(entry, *entry.origin, variables)
                size += len(content)
                item["content"] = base64.b64encode(content).decode("ascii")
            payload.setdefault(entry.section, []).append(item)
        if size > LARGEST_TASK_BYTES:
            raise AnsibleActionFail(
                f"the files of this task have {size} bytes together; tandem.platform.files takes up to "
                f"{LARGEST_TASK_BYTES}. Place large files with ansible.builtin.copy."
            )
        return payload

    def _content(self, entry: Entry, kind: str, value: str, variables: dict[str, Any]) -> bytes:
        if kind == "content":
            return value.encode()
        try:
            if kind == "source":
                return self._source(value)
            return self._render(value, entry, variables)
        except AnsibleUndefinedVariable:
            raise
        except AnsibleError:
            if entry.secret:
                # The cause may quote values.
                raise AnsibleActionFail(
                    f"{value}, to be placed as {entry.path}, could not be rendered; details are hidden "
                    "because the entry is secret. Next: render it with `secret: false` and harmless values."
                ) from None
            raise

    def _source(self, name: str) -> bytes:
        found = Path(self._find_needle("files", name))
        if not found.is_file():
            raise AnsibleActionFail(f"source {name} is not a file ({found})")
        # A vault-encrypted source is decrypted into a temporary file, which cleanup() removes.
        return Path(self._loader.get_real_file(str(found))).read_bytes()

    def _render(self, name: str, entry: Entry, variables: dict[str, Any]) -> bytes:
        found = self._find_needle("templates", name)
        text = trust_as_template(self._loader.get_text_file_contents(found))
        available = {
            "ansible_managed": constants.config.get_config_value("DEFAULT_MANAGED_STR"),
            **variables,
            "template_path": name,
            "template_fullpath": found,
            "template_destpath": entry.path,
            **entry.variables,
        }
        templar = self._templar.copy_with_new_env(
            searchpath=self._search_path(found), available_variables=available
        )
        rendered = templar.template(
            text, escape_backslashes=False, overrides={"trim_blocks": True, "newline_sequence": "\n"}
        )
        if rendered is None:
            rendered = ""
        if isinstance(rendered, dict | list | tuple):
            raise AnsibleActionFail(
                f"template {name} does not yield text but a {type(rendered).__name__}; "
                "print it with a filter such as to_nice_json"
            )
        return str(rendered).encode()

    def _search_path(self, found: str) -> list[str]:
        """Where `include` and `import` in a template look: as for ansible.builtin.template."""
        roots = [*self._task.get_search_path(), self._loader.get_basedir(), str(Path(found).parent)]
        return [path for root in roots for path in (str(Path(root) / "templates"), str(root))]
