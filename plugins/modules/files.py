#!/usr/bin/python
# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Place many files in one task: the host's half (the controller's half is the action plugin)."""

# Ansible ships no type information; everything with types lives in module_utils.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.placing import Change, PlacingError, Planner
from ..module_utils.validating import validate

DOCUMENTATION = r"""
module: files
short_description: Place many files, directories and links in one task
description:
  - Renders templates on the controller and places everything with one call on the host. A task that places
    ten files takes about as long as one ansible.builtin.template task.
  - Nothing is written before every entry has been compared with the host and every changed file with a
    C(validate) command has passed it. Each file is replaced in one step and synced to disk.
  - Entries are applied in the order directories, files, links, absent.
  - Works in check mode, also when an owner, a group, a parent directory or a validating program is something
    that an earlier task would have brought; shows unified diffs in diff mode.
  - A file that a validated file refers to (a map, a certificate) belongs into an earlier task, because
    validation comes before any write.
options:
  directories:
    description:
      - Directories to have. Keys C(path), C(owner) (root), C(group) (root), C(mode) ("0755"), C(notify),
        C(when).
      - Missing parents are made as plain 0755 directories of root.
    type: list
    elements: dict
    default: []
  files:
    description:
      - Files to have. Keys C(path), C(owner) (root), C(group) (root), C(mode) ("0644"), C(notify), C(when).
      - The content comes from exactly one of C(template) (with C(vars) for this file alone), C(source) (one
        of the role's files/, or an absolute path on the controller; bytes as they are) and C(content) (text).
      - C(validate) is a command, run without a shell, with C(%s) for the path of a private copy of the file.
      - C(secret) never shows the content. C(backup) keeps the replaced file beside the new one.
      - Together up to 4 MiB; larger things belong to ansible.builtin.copy.
    type: list
    elements: dict
    default: []
  links:
    description: Symbolic links to have. Keys C(path), C(target), C(notify), C(when).
    type: list
    elements: dict
    default: []
  absent:
    description:
      - Paths to remove, directories with all they contain. Each a path, or keys C(path), C(notify), C(when).
    type: list
    elements: raw
    default: []
  rendered:
    description: Set by the action plugin; not for playbooks.
    type: str
notes:
  - C(notify) of an entry names handlers that run only when this entry changed. The task's own C(notify)
    works too.
  - An entry with C(when) false is left alone, neither placed nor removed.
author:
  - The Tandem authors
"""

EXAMPLES = r"""
- name: Place the configuration
  tandem.platform.files:
    directories:
      - path: /etc/x
    files:
      - template: x.conf.j2
        path: /etc/x/x.conf
        validate: x --check %s
        notify: [Reload x]
      - content: "{{ x_password }}"
        path: /etc/x/password
        group: x
        mode: "0640"
        secret: true
        notify: [Restart x]
    absent:
      - /etc/x/x.conf.old
"""

RETURN = r"""
changed_paths:
  description: Paths of the entries that changed, or would change in check mode.
  type: list
  elements: str
  returned: always
notes:
  description: What check mode could not find out.
  type: list
  elements: str
  returned: in check mode, when there is any
"""


def plan(entries: dict[str, list[dict[str, Any]]], check_mode: bool) -> tuple[list[Change], list[str]]:
    """Return all changes that are needed, and all problems that stand in the way."""
    planner = Planner(check_mode)
    changes: list[Change] = []
    problems: list[str] = []
    for section, listed in entries.items():
        for entry in listed:
            try:
                change = planner.plan(section, entry)
            except (PlacingError, OSError) as error:
                problems.append(str(error))
            else:
                changes += [change] if change else []
    return changes, problems


def apply(module: AnsibleModule, changes: list[Change]) -> None:
    """Make all changes; when one fails, say which ones are already made."""
    made: list[str] = []
    for change in changes:
        try:
            change.apply()
        except (PlacingError, OSError) as error:
            already = f" Already changed: {', '.join(made)}; their handlers did not run." if made else ""
            module.fail_json(
                msg=f"{change.path} could not be changed: {error}.{already} "
                "Next: remove the cause and run again.",
                changed_paths=made,
            )
        made.append(change.path)


def main() -> None:
    """Compare, validate, apply."""
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "dict", "default": []},
            "files": {"type": "list", "elements": "dict", "default": []},
            "links": {"type": "list", "elements": "dict", "default": []},
            "absent": {"type": "list", "elements": "raw", "default": []},
            "rendered": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    if module.params["rendered"] is None:
        module.fail_json(msg="tandem.platform.files needs its action plugin; call it as a task")
    changes, problems = plan(json.loads(module.params["rendered"]), module.check_mode)
    found, notes = validate(changes, module.check_mode)
    problems += found
    if problems:
        module.fail_json(msg="Nothing was written.\n" + "\n".join(problems))
    if not module.check_mode:
        apply(module, changes)
    result: dict[str, Any] = {"changed": bool(changes), "changed_paths": [change.path for change in changes]}
    if module._diff:
        result["diff"] = [change.diff for change in changes]
    if notes:
        result["notes"] = notes
    module.exit_json(**result)


if __name__ == "__main__":
    main()
