# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Ask dpkg which packages are installed; knows nothing of Ansible and nothing of apt's slow cache."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Query = Callable[[list[str]], str]


def query(names: list[str]) -> str:
    """Return a line "name<tab>version<tab>status" per package that dpkg knows."""
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${db:Status-Status}\n", *names],
        check=False,  # unknown packages make it fail, and are what is asked for
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def missing(wanted: list[str], ask: Query = query) -> list[str]:
    """Return those of `wanted` ("name" or "name=version") that are not installed, in their order."""
    if not wanted:
        return []
    lines = ask([name.split("=", 1)[0] for name in wanted]).splitlines()
    versions = {
        name: version
        for name, version, status in (line.split("\t") for line in lines)
        if status == "installed"
    }
    return [item for item in wanted if not _present(item, versions)]


def _present(item: str, versions: dict[str, str]) -> bool:
    name, _, version = item.partition("=")
    return name in versions and version in {"", versions[name]}
