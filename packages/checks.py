"""What must hold before anything is built, so that a build does not end after minutes for want of space."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from packages import debian, places, toolchains
from packages.errors import PackagesError
from packages.recipes import Recipe

GIB = 1024**3


def architecture(name: str) -> None:
    """Refuse a machine for which nothing is known. Raises PackagesError."""
    if name not in toolchains.GO_SYSTEMS:
        known = ", ".join(toolchains.GO_SYSTEMS)
        raise PackagesError(
            f"packages for {name} were never built", f"build on a machine with one of: {known}"
        )


def space(recipes: Iterable[Recipe], free: int | None = None) -> None:
    """Refuse to begin without room for modules, what is compiled, and the packages. Raises PackagesError.

    Recipes of one source share what they fetch. `free` is in bytes; by default what the user's cache has.
    """
    by_source: dict[str, int] = {}
    for recipe in recipes:
        by_source[recipe.source] = max(recipe.gigabytes, by_source.get(recipe.source, 0))
    needed = sum(by_source.values()) * GIB
    there = _free(places.cache()) if free is None else free
    if there < needed:
        raise PackagesError(
            f"building needs {needed // GIB} GiB below {places.cache()}, and {there / GIB:.1f} GiB are free",
            "make room, or set XDG_CACHE_HOME (and GOMODCACHE, GOCACHE) to a larger disk",
        )


def tools(recipes: Iterable[Recipe]) -> None:
    """Install the Debian packages that the builds need, or say which are missing. Raises PackagesError."""
    debian.ensure([name for recipe in recipes for name in recipe.needs])


def _free(folder: Path) -> int:
    """Return the free bytes of the file system that has the folder, or will have it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        raise PackagesError(f"{there} is not writable", "set XDG_CACHE_HOME to a folder of your own")
    return shutil.disk_usage(there).free
