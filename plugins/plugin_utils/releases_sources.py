# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The folders that wheels are built from: which files count, their hash, and what lies beside them.

Only the files that are hashed are ever copied to where a wheel is built, so a release's id covers all of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK_NAME = "requirements.lock"
# What tools leave behind, and tests: neither belongs into a release.
LEFT_OUT = ("__pycache__", "node_modules", "build", "dist", "venv")
LEFT_OUT_AT_TOP = ("tests", "test", "docs")
# Hidden files are left out, except those that steer a build.
HIDDEN_THAT_COUNT = (".npmrc",)


class SourceError(Exception):
    """A source folder can't be used; the message names it and the cure."""


@dataclass(frozen=True)
class Project:
    """A folder with a pyproject.toml: its name as written there, its hash, its local packages' folders.

    `assets` is the folder, relative to it, whose files a bundler makes; empty where there is none.
    """

    folder: Path
    name: str
    digest: str
    local: tuple[Path, ...]
    assets: str = ""


def read_project(folder: Path) -> Project:
    """Read a project folder. Raises `SourceError` when there is no usable pyproject.toml."""
    file = folder / "pyproject.toml"
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{folder} has no pyproject.toml; `app:` names the folder that has one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{file}: {error}") from None
    name = settings.get("project", {}).get("name")
    if not isinstance(name, str) or not name:
        raise SourceError(f"{file} has no project.name")
    local = tuple(_local_folders(file, settings))
    return Project(folder, name, _digest(folder), local, _assets_folder(file, settings))


def with_local(folder: Path) -> list[Project]:
    """Return a project, the projects that it names as local, and theirs, each once; itself first."""
    found: dict[Path, Project] = {}
    todo = [folder.resolve()]
    while todo:
        current = todo.pop(0)
        if current not in found:
            found[current] = read_project(current)
            todo += [path.resolve() for path in found[current].local]
    return list(found.values())


def copy_project(project: Project, destination: Path) -> None:
    """Copy the files that count into an empty folder, where a build may leave what it likes."""
    for relative in _files(project.folder):
        target = destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project.folder / relative, target)


def _local_folders(file: Path, settings: dict[str, Any]) -> Iterator[Path]:
    listed = settings.get("tool", {}).get("tandem", {}).get("local", [])
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise SourceError(f'{file}: tool.tandem.local must be a list of folders, as in ["../common"]')
    for item in listed:
        folder = file.parent / item
        if not folder.is_dir():
            raise SourceError(f"{file}: tool.tandem.local names {item}, but {folder} is not a folder")
        yield folder


def _assets_folder(file: Path, settings: dict[str, Any]) -> str:
    named = settings.get("tool", {}).get("tandem", {}).get("assets", "")
    if not isinstance(named, str):
        raise SourceError(f'{file}: tool.tandem.assets must be a folder, as in "assets"')
    if not named:
        return ""
    folder = Path(named)
    if folder.is_absolute() or any(_left_out(part, number == 0) for number, part in enumerate(folder.parts)):
        raise SourceError(
            f"{file}: tool.tandem.assets is {named}, which does not belong to a release. "
            "Next: name a folder of the project, without dots, build, dist and tests"
        )
    for needed in ("package.json", "package-lock.json"):
        if not (file.parent / folder / needed).is_file():
            raise SourceError(
                f"{file}: tool.tandem.assets names {named}, which has no {needed}. Next: in it, npm install"
            )
    return str(folder)


def _digest(folder: Path) -> str:
    """Return the hash of paths, contents and executable bits of all files that count, except the lock."""
    total = hashlib.sha256()
    for relative in _files(folder):
        if relative == LOCK_NAME:
            continue
        path = folder / relative
        executable = bool(path.stat().st_mode & 0o100)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{relative}\0{executable}\0{content}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> list[str]:
    """Return the paths of all files that count, relative to the folder, sorted."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        top = Path(place) == folder
        folders[:] = [name for name in folders if not _left_out(name, top)]
        found += [
            str((Path(place) / name).relative_to(folder))
            for name in names
            if (not name.startswith(".") or name in HIDDEN_THAT_COUNT)
            and not name.endswith((".pyc", ".egg-info"))
        ]
    return sorted(found)


def _left_out(name: str, top: bool) -> bool:
    return (
        name.startswith(".")
        or name.endswith(".egg-info")
        or name in LEFT_OUT
        or (top and name in LEFT_OUT_AT_TOP)
    )
