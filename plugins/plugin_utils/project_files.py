# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What derivation may ask about the controller's files; tests put a table in its place."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Protocol


class ProjectFiles(Protocol):
    """Questions about files on the controller; every path is absolute."""

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder is there."""

    def text(self, path: str) -> str | None:
        """Return a file's text, or None when it can't be read."""

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, an empty list when it can't be read."""


class ControllerFiles:
    """The real file system of the controller."""

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder is there."""
        return Path(path).exists()

    def text(self, path: str) -> str | None:
        """Return a file's text, or None when it can't be read."""
        try:
            return Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, an empty list when it can't be read."""
        try:
            return sorted(entry.name for entry in Path(folder).iterdir())
        except OSError:
            return []


def absolute(project_dir: str, path: str) -> str:
    """Return a catalog's path as an absolute one; relative paths start in the project's folder."""
    return posixpath.normpath(posixpath.join(project_dir, path))
