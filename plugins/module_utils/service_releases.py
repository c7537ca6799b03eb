# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Releases on a host: which are there, what they lack, how to install them. Knows nothing of Ansible.

    <root>/wheels/<name>-<version>-<hash>/            every wheel unpacked and compiled once
    <root>/services/<service>/releases/<id>/site/     hard links to the files of its wheels
                                            /bin/     console scripts
                                            /RELEASE  its description

A release is complete in itself (its files stay when an unpacked wheel is removed) and shares disk and memory
with the others. A name under `wheels` or `releases` exists only when all below it is complete and on disk.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path("/opt/tandem")
HASH_LENGTH = 12
COMPILE_JOBS = 2
SCRIPT = """#!/usr/bin/python3 -Ps
import sys

sys.path.insert(0, {site!r})
from {module} import {first}

sys.exit({function}())
"""
INTERPRETER = b"#!/usr/bin/python3 -Ps"


class InstallError(Exception):
    """A release can't be installed; the message says why and what to do."""


@dataclass(frozen=True)
class Wheel:
    """A wheel as a release's description names it."""

    name: str
    version: str
    file: str
    sha256: str

    @property
    def key(self) -> str:
        """The folder's name of the unpacked wheel."""
        return f"{self.name}-{self.version}-{self.sha256[:HASH_LENGTH]}"


@dataclass(frozen=True)
class Release:
    """A release's description, made on the controller."""

    service: str
    id: str
    python: str
    machine: str
    wheels: tuple[Wheel, ...]
    scripts: dict[str, str]

    @staticmethod
    def read(description: dict[str, Any]) -> Release:
        """Read a description; unknown keys are an error of the caller."""
        wheels = tuple(Wheel(**wheel) for wheel in description["wheels"])
        return Release(**{**description, "wheels": wheels})

    def path(self, root: Path) -> Path:
        """Return where it is, or would be."""
        return root / "services" / self.service / "releases" / self.id


def missing_releases(releases: Iterable[Release], root: Path = ROOT) -> list[Release]:
    """Return the releases that are not installed."""
    return [release for release in releases if not (release.path(root) / "RELEASE").exists()]


def missing_wheels(releases: Iterable[Release], root: Path = ROOT) -> list[Wheel]:
    """Return the wheels that are not unpacked yet, each once."""
    wheels = {wheel.key: wheel for release in releases for wheel in release.wheels}
    return [wheel for key, wheel in wheels.items() if not (root / "wheels" / key).exists()]


def require_python(releases: Iterable[Release]) -> None:
    """Raise `InstallError` when the host's Python or machine is not the one that a release was made for."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}", platform.machine()
    for release in releases:
        if (release.python, release.machine) != here:
            raise InstallError(
                f"{release.service}: the release is made for Python {release.python} on {release.machine}, "
                f"/usr/bin/python3 is {here[0]} on {here[1]}. Next: use Debian 13 hosts"
            )


def install(releases: Sequence[Release], bundle: Path, root: Path = ROOT) -> None:
    """Install releases; `bundle` is a tar archive of the wheel files that are missing.

    Raises `InstallError`. Releases appear only after all their files are written to disk.
    """
    os.umask(0o022)
    wheels = missing_wheels(releases, root)
    with tarfile.open(bundle) as archive:
        unpacked = [_unpack(wheel, archive, root) for wheel in wheels]
    _compile(unpacked)
    _sync(root)
    for folder, wheel in zip(unpacked, wheels, strict=True):
        _rename(folder, root / "wheels" / wheel.key)
    assembled = [(_assemble(release, root), release.path(root)) for release in releases]
    _sync(root)
    for folder, target in assembled:
        _rename(folder, target)


def _fresh(target: Path) -> Path:
    """Return an empty folder beside a target, free of what an interrupted run left."""
    folder = target.parent / f".new-{target.name}"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _rename(folder: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(root: Path) -> None:
    subprocess.run(["sync", "--file-system", str(root)], check=True)


def _unpack(wheel: Wheel, bundle: tarfile.TarFile, root: Path) -> Path:
    folder = _fresh(root / "wheels" / wheel.key)
    try:
        stream = bundle.extractfile(f"{wheel.sha256}/{wheel.file}")
    except KeyError:
        stream = None
    if stream is None:
        raise InstallError(f"{wheel.file} did not arrive on the host. Next: run again")
    with stream, zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            name = _place(member.filename)
            if name is None or member.is_dir():
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))
    return folder


def _place(name: str) -> str | None:
    """Return where a wheel's member goes, relative to its folder, or None for what no service needs.

    Source: the binary distribution format; `<name>.data/<key>/` is for other places than site-packages.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        raise InstallError(f"a wheel has a member outside its folder: {name}")
    if not parts[0].endswith(".data"):
        return name
    if parts[1] in ("purelib", "platlib"):
        return "/".join(parts[2:])
    # Kept beside the packages; _assemble puts them into bin.
    return "/".join([".scripts", *parts[2:]]) if parts[1] == "scripts" else None


def _compile(folders: Sequence[Path]) -> None:
    """Compile to bytecode once: services can't write, and would else compile at every start.

    A module that does not compile (a template, code for other versions) is no error: importing it would be.
    """
    if not folders:
        return
    # The files never change in place, so that Python need not compare times: unchecked-hash.
    options = ["-q", "-q", "-j", str(COMPILE_JOBS), "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", *options, *map(str, folders)], check=False)


def _assemble(release: Release, root: Path) -> Path:
    folder = _fresh(release.path(root))
    site, programs = folder / "site", folder / "bin"
    site.mkdir()
    programs.mkdir()
    for wheel in release.wheels:
        _link_tree(root / "wheels" / wheel.key, site)
    final_site = str(release.path(root) / "site")
    scripts = site / ".scripts"
    if scripts.is_dir():
        for script in sorted(scripts.iterdir()):
            _write_program(programs / script.name, _own_interpreter(script.read_bytes()))
        shutil.rmtree(scripts)
    for name, point in release.scripts.items():
        module, function = point.split(":")
        first = function.split(".")[0]
        text = SCRIPT.format(site=final_site, module=module, first=first, function=function)
        _write_program(programs / name, text.encode())
    description = {**release.__dict__, "wheels": [wheel.__dict__ for wheel in release.wheels]}
    (folder / "RELEASE").write_text(json.dumps(description, indent=1, sort_keys=True), encoding="utf-8")
    return folder


def _own_interpreter(content: bytes) -> bytes:
    """Replace the placeholder that wheels carry as a Python script's first line."""
    first, newline, rest = content.partition(b"\n")
    return INTERPRETER + newline + rest if first.startswith(b"#!python") else content


def _write_program(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)


def _link_tree(source: Path, target: Path) -> None:
    for place, _, names in os.walk(source):
        folder = target / Path(place).relative_to(source)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            # Two wheels may bring the same file of a shared package; the later one wins, as with pip.
            (folder / name).unlink(missing_ok=True)
            os.link(Path(place) / name, folder / name)


def installed(service: str, root: Path = ROOT) -> list[str]:
    """Return the ids of a service's installed releases, the newest first."""
    found = (root / "services" / service / "releases").glob("[!.]*/RELEASE")
    return [
        path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    ]


def superfluous(service: str, used: set[str], keep: int, root: Path = ROOT) -> list[Path]:
    """Return the releases to remove: all that are unused, except the `keep` newest of them."""
    unused = [name for name in installed(service, root) if name not in used]
    return [root / "services" / service / "releases" / name for name in unused[keep:]]


def leftovers(root: Path = ROOT) -> list[Path]:
    """Return half-made folders of interrupted runs, and unpacked wheels that no release uses any more."""
    found = [*root.glob("wheels/.new-*"), *root.glob("services/*/releases/.new-*")]
    return [*found, *(path for path in root.glob("wheels/[!.]*") if _unused(path))]


def _unused(wheel: Path) -> bool:
    """Tell whether no release links to a wheel; no other wheel replaces its METADATA, so that one tells."""
    return all(path.stat().st_nlink == 1 for path in wheel.glob("*.dist-info/METADATA"))
