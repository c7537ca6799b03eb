# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Files for browsers: a project's bundler makes them, in a copy of the project, before its wheel is built.

npm does it, with the machine's own npm settings and the project's lock. What it leaves in `dist`, except the
manifest that the code reads, becomes an archive of the release, for the edges.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

TIMEOUT_SECONDS = 1200
SHOWN_LINES = 15
MANIFEST = "manifest.json"  # names of files by what the code calls them: part of the wheel, not for browsers
# What a URL and any file system take as it is. A leading dot would hide a file.
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
# Edges answer with a file's time; the same everywhere, it tells nothing (1980-01-01).
MODIFIED = 315532800


class AssetsError(Exception):
    """The files can't be made or used; the message says what is wrong, and the cure."""


def build(folder: Path) -> None:
    """Run the bundler in a folder with package.json and package-lock.json. Raises `AssetsError`."""
    # The bundler is a development dependency, which a machine set up for production would leave out.
    _npm(folder, "ci", "--include=dev", "--no-audit", "--no-fund")
    _npm(folder, "run", "build")
    # Tens of thousands of files that no wheel needs, whatever its build backend thinks.
    shutil.rmtree(folder / "node_modules", ignore_errors=True)


def _npm(folder: Path, *arguments: str) -> None:
    program = shutil.which("npm")
    if program is None:
        raise AssetsError(
            "there is no npm on the controller, which makes the files for browsers. "
            "Next: apt-get install --no-install-recommends nodejs npm"
        )
    try:
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            env={**os.environ, "CI": "1", "npm_config_update_notifier": "false"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AssetsError(f"npm {arguments[0]} did not end within {TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines()[-SHOWN_LINES:]
        raise AssetsError("\n".join([f"npm {' '.join(arguments[:2])} failed:", *lines]))


def pack(folder: Path, archive: Path) -> None:
    """Write all files of a bundler's `dist` folder, except the manifest, into a tar archive.

    Two builds of the same files give the same bytes. Raises `AssetsError`.
    """
    names = sorted(_files(folder)) if folder.is_dir() else []
    if not names:
        raise AssetsError(f"npm run build has left no files in {folder.name}. Next: let it write them there")
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as stream:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = (folder / name).stat().st_size
            entry.mtime = MODIFIED
            with (folder / name).open("rb") as content:
                stream.addfile(entry, content)


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_symlink() or not all(NAME.fullmatch(part) for part in name.parts):
            raise AssetsError(
                f"npm run build has left {name}, which can't be served. "
                "Next: no links, and names of a-z, A-Z, 0-9, ., - and _ without a leading dot"
            )
        if path.is_file() and str(name) != MANIFEST:
            yield str(name)
