# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The hosts' Python, as the controller sees it: which wheels fit, which requirements apply.

The controller may run another Python and another system; nothing here asks the running interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

# Debian 13: glibc 2.41. Wheels of every manylinux up to it run there.
GLIBC_MINOR = 41
OLDEST_GLIBC_MINOR = 5
LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Target:
    """A host's Python: `python` as "3.13", `machine` as `uname -m` says."""

    python: str = "3.13"
    machine: str = "x86_64"

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor number."""
        major, minor = self.python.split(".")
        return int(major), int(minor)

    @property
    def abi(self) -> str:
        """The ABI of extension modules: "cp313"."""
        return f"cp{self.python.replace('.', '')}"

    def platforms(self) -> list[str]:
        """Return the platform tags that run on the host, newest first."""
        names: list[str] = []
        for minor in range(GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1):
            names.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in LEGACY_MANYLINUX:
                names.append(f"{LEGACY_MANYLINUX[minor]}_{self.machine}")
        return [*names, f"linux_{self.machine}"]

    def tags(self) -> list[Tag]:
        """Return the wheel tags that fit, best first."""
        platforms = self.platforms()
        return [
            *cpython_tags(self.version, [self.abi], platforms),
            *compatible_tags(self.version, self.abi, platforms),
        ]

    def fits(self, filename: str) -> bool:
        """Tell whether a wheel of this file name runs on the host."""
        return bool(parse_wheel_filename(filename)[3] & frozenset(self.tags()))

    def environment(self, extra: str = "") -> dict[str, str]:
        """Return the values of environment markers on the host (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": extra,
        }

    def applies(self, marker: Marker | None, extras: Iterable[str] = ()) -> bool:
        """Tell whether a requirement with this marker is needed on the host, given the extras asked for."""
        if marker is None:
            return True
        return any(marker.evaluate(self.environment(extra)) for extra in ("", *extras))

    def pip_options(self) -> list[str]:
        """Return pip's options for taking only wheels that fit."""
        options = ["--only-binary=:all:", "--python-version", self.python, "--implementation", "cp"]
        for abi in (self.abi, "abi3", "none"):
            options += ["--abi", abi]
        for platform in self.platforms():
            options += ["--platform", platform]
        return options


def without_marker(requirement: Requirement) -> str:
    """Return a requirement as text, with its version and extras but without its marker."""
    plain = Requirement(str(requirement))
    plain.marker = None
    return str(plain)
