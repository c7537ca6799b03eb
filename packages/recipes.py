"""What is built: names, versions and the ways to build them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from packages.places import RECIPES

FORMAT = 2
"""Goes up when the packages look different although their recipes are the same."""

_SOURCES = {".mod", ".sum", ".go"}
LOKI_MODULE = "github.com/grafana/loki/v3"
LOKI_VERSION = "3.6.15"


@dataclass(frozen=True)
class Edit:
    """A change to a file of a module (one each) that the program is built from: `old`, there once, becomes `new`."""

    module: str
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Recipe:
    """One program and its package.

    `source` is the folder of a Go module beside this file, or the name of a crate. `needs` are Debian packages for
    the build, `depends` those of the result. `minutes` (on two cores, nothing cached) and `gigabytes` are for people
    and for the check of the disk.
    """

    name: str
    version: str
    language: Literal["go", "rust"]
    source: str
    program: str
    description: str
    license: str
    homepage: str
    minutes: int
    gigabytes: int
    tags: str = ""
    c_compiler: bool = False
    needs: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    user: str | None = None
    edits: tuple[Edit, ...] = ()


RECIPES_BY_NAME = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="loki",
            version=LOKI_VERSION,
            language="go",
            source="loki",
            program=f"{LOKI_MODULE}/cmd/loki",
            description="Store and queries of logs, indexed by labels only",
            license="AGPL-3.0",
            homepage="https://github.com/grafana/loki",
            minutes=4,
            gigabytes=7,
            user="loki",
        ),
        Recipe(
            name="promtail",
            version=LOKI_VERSION,
            language="go",
            source="loki",
            program=f"{LOKI_MODULE}/clients/cmd/promtail",
            description="Agent that brings a host's logs to Loki",
            license="Apache-2.0",
            homepage="https://github.com/grafana/loki",
            minutes=3,
            gigabytes=7,
            tags="promtail_journal_enabled",
            c_compiler=True,  # it reads the journal with systemd's own library
            needs=("gcc", "libc6-dev", "libsystemd-dev"),
            depends=("libc6 (>= 2.34)", "libsystemd0"),
            user="promtail",
            # How long it waits for a line before it looks whether it should end. A line ends the wait at once in any
            # case; ten looks a second at each of twenty journals cost more than all lines (docs/packages.md).
            edits=(
                Edit(
                    "github.com/coreos/go-systemd",
                    "sdjournal/read.go",
                    "r.journal.Wait(100 * time.Millisecond)",
                    "r.journal.Wait(2 * time.Second)",
                ),
            ),
        ),
        Recipe(
            name="garage",
            version="2.5.0",
            language="rust",
            source="garage",
            program="garage",
            description="Replicated object store with an S3 interface",
            license="AGPL-3.0",
            homepage="https://garagehq.deuxfleurs.fr",
            minutes=7,
            gigabytes=4,
            needs=("gcc", "g++", "libc6-dev", "make", "pkg-config"),
            depends=("libc6 (>= 2.34)", "libgcc-s1"),
            user="garage",
        ),
    )
}

DEFAULT = ("loki", "promtail")


def key(recipe: Recipe, architecture: str) -> str:
    """Return the name of exactly this recipe: another one gives another package."""
    digest = hashlib.sha256(json.dumps([FORMAT, architecture, asdict(recipe)], sort_keys=True).encode())
    for file in sources(recipe):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def sources(recipe: Recipe) -> list[Path]:
    """Return the recipe's files in the checkout."""
    folder = RECIPES / recipe.source
    return sorted(path for path in folder.glob("*") if path.suffix in _SOURCES) if folder.is_dir() else []
