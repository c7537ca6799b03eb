"""From recipes to the repository: build what the cache lacks, then publish all that it has."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from packages import building, checks, deb, debian, places, repository
from packages.console import say
from packages.locks import alone
from packages.recipes import RECIPES_BY_NAME, Recipe, key


def make(names: Iterable[str]) -> Path:
    """Build the named packages, as far as they are not cached, and return the repository. Raises PackagesError."""
    architecture = debian.architecture()
    checks.architecture(architecture)
    with alone():
        _build([RECIPES_BY_NAME[name] for name in names], architecture)
        return repository.publish(cached(architecture))


def cached(architecture: str) -> list[Path]:
    """Return the packages of the present recipes that are built."""
    found = [_package(recipe, architecture) for recipe in RECIPES_BY_NAME.values()]
    return [path for path in found if path.is_file()]


def _build(recipes: list[Recipe], architecture: str) -> None:
    lacking = [recipe for recipe in recipes if not _package(recipe, architecture).is_file()]
    for recipe in recipes:
        if recipe not in lacking:
            say(f"{recipe.name} {recipe.version}: is built already")
    if not lacking:
        return
    checks.space(lacking)
    checks.tools(lacking)
    for number, recipe in enumerate(lacking, start=1):
        say(
            f"{recipe.name} {recipe.version} ({number} of {len(lacking)}, about {recipe.minutes} minutes on two cores)"
        )
        _build_one(recipe, architecture)
        # At once, so that what needs this one need not wait for the next.
        repository.publish(cached(architecture))


def _build_one(recipe: Recipe, architecture: str) -> None:
    target = _package(recipe, architecture)
    program = building.build(recipe, architecture)
    made = deb.make(recipe, program, architecture, program.parent / "package")
    target.parent.mkdir(parents=True, exist_ok=True)
    made.rename(target)
    shutil.rmtree(places.work() / recipe.name)
    say(f"{recipe.name} {recipe.version}: {target.stat().st_size / 1e6:.0f} MB")


def _package(recipe: Recipe, architecture: str) -> Path:
    return places.built(recipe.name, key(recipe, architecture)) / deb.file_name(recipe, architecture)
