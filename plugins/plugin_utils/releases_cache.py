# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The controller's cache of wheels and release descriptions, in the user's cache folder.

    wheels/<sha256>/<file>      every wheel that a release may need, once
    built/<hash>.json           which wheel was built from a project folder with this content
    static/<hash>.tar           the files for browsers that were made with that wheel, where there are any
    releases/<service>-<id>.json  descriptions of releases; one exists only when all its wheels do

Files are put in place in one step, so that two runs at once (or one that was killed) harm nothing.
"""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename

from .releases_target import Target
from .releases_wheel import Wheel, identify


def default_folder() -> Path:
    """Return the cache folder as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "tandem" / "releases"


class Cache:
    """Wheels and descriptions under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wheel(self, wheel: Wheel) -> Path:
        """Return where a wheel is, or would be."""
        return self.folder / "wheels" / wheel.sha256 / wheel.file

    def find_wheel(self, digests: Iterable[str], target: Target) -> Wheel | None:
        """Return a cached wheel with one of these sha256 hashes that runs on the hosts."""
        for digest in sorted(digests):
            for path in sorted((self.folder / "wheels" / digest).glob("*.whl")):
                if target.fits(path.name):
                    name, version, _, _ = parse_wheel_filename(path.name)
                    return Wheel(name, str(version), path.name, digest)
        return None

    def add_wheel(self, path: Path) -> Wheel:
        """Move a wheel file into the cache."""
        wheel = identify(path)
        target = self.wheel(wheel)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{os.getpid()}-{path.name}"
        temporary.write_bytes(path.read_bytes())
        temporary.replace(target)
        path.unlink()
        return wheel

    def static(self, digest: str) -> Path:
        """Return where the files for browsers of a project with this hash are, or would be."""
        return self.folder / "static" / f"{digest}.tar"

    def add_static(self, digest: str, archive: Path) -> None:
        """Copy an archive of files for browsers into the cache, in one step."""
        target = self.static(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{os.getpid()}-{target.name}"
        temporary.write_bytes(archive.read_bytes())
        temporary.replace(target)

    def read(self, kind: str, key: str) -> Any:
        """Return a stored description, or None."""
        try:
            return json.loads(self.description(kind, key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, kind: str, key: str, value: Any) -> Path:
        """Store a description in one step and return its path."""
        target = self.description(kind, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1, sort_keys=True)
        Path(temporary).replace(target)
        return target

    def description(self, kind: str, key: str) -> Path:
        """Return where a description is, or would be; kinds: built, releases."""
        return self.folder / kind / f"{key}.json"


def bundle(cache: Cache, names: Iterable[str], file: Path) -> None:
    """Write a tar archive of wheels, named `<sha256>/<file>`; uncompressed, because wheels are."""
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(names):
            archive.add(cache.folder / "wheels" / name, arcname=name)
