# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Read wheels: who they are, what they need, which console scripts they bring."""

from __future__ import annotations

import configparser
import hashlib
import re
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from .releases_target import Target

SCRIPT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ENTRY_POINT = re.compile(r"([\w.]+):([\w.]+)")


class WheelError(Exception):
    """A wheel can't be used on the hosts; the message says which and why."""


@dataclass(frozen=True)
class Wheel:
    """A wheel in the cache: normal name, version, file name, sha256 of the file."""

    name: str
    version: str
    file: str
    sha256: str

    def as_dict(self) -> dict[str, str]:
        """Return plain data for a release's description."""
        return asdict(self)


def identify(path: Path) -> Wheel:
    """Return what a wheel file is; reads the whole file once for its hash."""
    name, version, _, _ = parse_wheel_filename(path.name)
    return Wheel(name, str(version), path.name, hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True)
class Metadata:
    """What a wheel says of itself."""

    requires: tuple[Requirement, ...]
    requires_python: str
    scripts: dict[str, str]


def read_metadata(path: Path) -> Metadata:
    """Return a wheel's requirements and console scripts. Raises `WheelError` for a broken wheel."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            headers = HeaderParser().parsestr(archive.read(info).decode("utf-8"))
            points = info.removesuffix("METADATA") + "entry_points.txt"
            text = archive.read(points).decode("utf-8") if points in archive.namelist() else ""
    except (StopIteration, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise WheelError(f"{path.name} is not a wheel ({error or 'no METADATA'})") from None
    return Metadata(
        requires=tuple(Requirement(line) for line in headers.get_all("Requires-Dist", [])),
        requires_python=str(headers.get("Requires-Python", "")),
        scripts=_console_scripts(path, text),
    )


def _console_scripts(path: Path, text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    scripts = {}
    for name, point in parser.items("console_scripts") if parser.has_section("console_scripts") else ():
        bare = point.split("[", 1)[0].strip()
        if not SCRIPT_NAME.fullmatch(name) or not ENTRY_POINT.fullmatch(bare):
            raise WheelError(
                f"{path.name}: console script {name} = {point} is not of the form module:function"
            )
        scripts[name] = bare
    return scripts


def missing(
    wheels: dict[str, tuple[str, Metadata]], roots: Iterable[Requirement], target: Target
) -> list[str]:
    """Return what the roots need on the hosts, directly or not, and the wheels do not bring.

    `wheels` maps normal names to (version, metadata). Each answer is a requirement as text with who needs it.
    """
    problems: dict[str, None] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [(root, "the service") for root in roots]
    while todo:
        requirement, wanted_by = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if name not in wheels:
            problems[f"{_plain(requirement)} (needed by {wanted_by})"] = None
            continue
        version, metadata = wheels[name]
        if not requirement.specifier.contains(version, prereleases=True):
            problems[f"{_plain(requirement)} (needed by {wanted_by}; locked: {version})"] = None
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        if not SpecifierSet(metadata.requires_python).contains(f"{target.python}.0"):
            problems[f"{name} {version} for Python {target.python} (it needs {metadata.requires_python})"] = (
                None
            )
        todo += [(need, name) for need in metadata.requires if target.applies(need.marker, extras)]
    return list(problems)


def _plain(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
