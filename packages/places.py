"""Where recipes lie, and where everything that is made from them lies: outside the checkout, in the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

RECIPES = Path(__file__).resolve().parent


def cache() -> Path:
    """Return the folder for all that is made."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "tandem" / "packages"


def built(name: str, key: str) -> Path:
    """Return the folder that holds the package of the recipe with that key."""
    return cache() / "built" / f"{name}-{key}"


def work() -> Path:
    """Return the folder for what is being built; worthless after an interruption."""
    return cache() / "work"


def repositories() -> Path:
    """Return the folder with every repository that was made, by its contents."""
    return cache() / "repositories"


def repository() -> Path:
    """Return the link to the present repository: the only folder here that is served to hosts."""
    return cache() / "repository"


def signing() -> Path:
    """Return the folder with the key that signs the repository; nobody else reads it."""
    return cache() / "signing"
