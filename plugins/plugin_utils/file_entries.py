# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Check the arguments of `tandem.platform.files` and bring its entries into one shape.

Runs on the controller, before anything is rendered or sent, and reports every problem at once.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECTIONS = ("directories", "files", "links", "absent")
CONTENT_KEYS = ("template", "source", "content")
OWNERSHIP_KEYS = {"owner", "group", "mode"}
COMMON_KEYS = {"path", "notify", "when"}
KEYS: dict[str, set[str]] = {
    "directories": COMMON_KEYS | OWNERSHIP_KEYS,
    "files": COMMON_KEYS | OWNERSHIP_KEYS | set(CONTENT_KEYS) | {"vars", "validate", "secret", "backup"},
    "links": COMMON_KEYS | {"target"},
    "absent": COMMON_KEYS,
}
DEFAULT_MODE = {"directories": "0755", "files": "0644"}
MODE = re.compile(r"[0-7]{3,4}")


class EntryError(Exception):
    """The task's arguments are wrong; the message lists every problem on a line of its own."""


@dataclass(frozen=True)
class Entry:
    """One path of the task, complete with defaults.

    `settings` is what the module on the host gets (without content); `origin` says where a file's
    content comes from: its kind ("template", "source" or "content") and the value of that key.
    """

    section: str
    path: str
    notify: tuple[str, ...]
    settings: dict[str, Any]
    origin: tuple[str, str] | None = None
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def secret(self) -> bool:
        """Whether the content must not be shown anywhere."""
        return bool(self.settings.get("secret"))


def parse(arguments: Mapping[str, Any]) -> list[Entry]:
    """Return the entries of a task in the order in which they are applied.

    Entries whose `when` is false are left out. Raises `EntryError` with all problems found.
    """
    problems = [
        f"unknown argument '{key}' (known: {', '.join(SECTIONS)})" for key in arguments if key not in SECTIONS
    ]
    entries: list[Entry] = []
    for section in SECTIONS:
        listed = arguments.get(section) or []
        if not isinstance(listed, list | tuple):
            problems.append(f"{section} must be a list")
            continue
        for index, raw in enumerate(listed):
            entry, found = _parse_entry(section, f"{section}[{index}]", raw)
            problems.extend(found)
            if entry is not None:
                entries.append(entry)
    problems.extend(_duplicates(entries))
    if problems:
        raise EntryError("\n".join(problems))
    return entries


def notifications(entries: list[Entry], changed_paths: list[str]) -> list[str]:
    """Return the handlers of the entries that changed, each once, in the order of the entries."""
    changed = set(changed_paths)
    names = [name for entry in entries if entry.path in changed for name in entry.notify]
    return list(dict.fromkeys(names))


def _duplicates(entries: list[Entry]) -> list[str]:
    paths = [entry.path for entry in entries]
    return [
        f"{path} is listed {paths.count(path)} times; list each path once"
        for path in dict.fromkeys(paths)
        if paths.count(path) > 1
    ]


def _parse_entry(section: str, place: str, raw: object) -> tuple[Entry | None, list[str]]:
    """Return the entry, or None when it is wrong or switched off, and its problems."""
    if section == "absent" and isinstance(raw, str):
        raw = {"path": raw}
    if not isinstance(raw, Mapping):
        return None, [f"{place} must be a mapping"]
    place = f"{place} ({raw.get('path', 'no path')})"
    problems = [
        f"{place}: unknown key '{key}' (known: {', '.join(sorted(KEYS[section]))})"
        for key in raw
        if key not in KEYS[section]
    ]
    problems += [f"{place}: {problem}" for problem in _problems(section, raw)]
    if problems or not raw.get("when", True):
        return None, problems
    return _complete(section, raw), []


def _problems(section: str, raw: Mapping[str, Any]) -> list[str]:
    problems = _path_problems(raw.get("path"))
    for key in ("when", "secret", "backup"):
        if not isinstance(raw.get(key, False), bool):
            problems.append(f"{key} must be true or false")
    for key in ("owner", "group", "target", "validate", "template", "source", "content"):
        if key in raw and not isinstance(raw[key], str):
            problems.append(f"{key} must be text, not {type(raw[key]).__name__}")
    if "mode" in raw and not (isinstance(raw["mode"], str) and MODE.fullmatch(raw["mode"])):
        problems.append('mode must be a quoted octal number like "0644"')
    if not isinstance(raw.get("vars", {}), Mapping):
        problems.append("vars must be a mapping")
    names = raw.get("notify", [])
    if not isinstance(names, str | list) or not all(isinstance(name, str) for name in names):
        problems.append("notify must be a handler's name or a list of them")
    if section == "files":
        problems += _file_problems(raw)
    if section == "links" and not raw.get("target"):
        problems.append("target is missing")
    return problems


def _path_problems(path: object) -> list[str]:
    if not isinstance(path, str) or not path:
        return ["path is missing"]
    if not path.startswith("/") or posixpath.normpath(path) != path or path.count("/") < 2:
        return ["path must be absolute, without '..', '//' or a final '/', and below a top-level directory"]
    return []


def _file_problems(raw: Mapping[str, Any]) -> list[str]:
    problems = []
    given = [key for key in CONTENT_KEYS if key in raw]
    if len(given) != 1:
        problems.append(f"exactly one of {', '.join(CONTENT_KEYS)} is needed")
    if "vars" in raw and "template" not in raw:
        problems.append("vars only make sense with template")
    if isinstance(raw.get("validate"), str) and "%s" not in raw["validate"]:
        problems.append("validate must contain %s, the path of the file to check")
    return problems


def _complete(section: str, raw: Mapping[str, Any]) -> Entry:
    settings: dict[str, Any] = {"path": str(raw["path"])}
    if section in DEFAULT_MODE:
        settings["owner"] = str(raw.get("owner", "root"))
        settings["group"] = str(raw.get("group", "root"))
        settings["mode"] = str(raw.get("mode", DEFAULT_MODE[section]))
    if section == "links":
        settings["target"] = str(raw["target"])
    origin = None
    if section == "files":
        settings["validate"] = str(raw.get("validate", ""))
        settings["secret"] = bool(raw.get("secret", False))
        settings["backup"] = bool(raw.get("backup", False))
        kind = next(key for key in CONTENT_KEYS if key in raw)
        origin = (kind, str(raw[kind]))
    names = raw.get("notify", [])
    return Entry(
        section=section,
        path=settings["path"],
        notify=tuple(str(name) for name in ([names] if isinstance(names, str) else names)),
        settings=settings,
        origin=origin,
        variables=dict(raw.get("vars", {})),
    )
