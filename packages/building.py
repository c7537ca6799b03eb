"""From a recipe to a program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from packages import places, toolchains
from packages.console import follow
from packages.recipes import LOKI_MODULE, Recipe, sources


def build(recipe: Recipe, architecture: str) -> Path:
    """Build the recipe's program in the work folder and return it. Raises PackagesError."""
    folder = places.work() / recipe.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return _go(recipe, architecture, folder) if recipe.language == "go" else _rust(recipe, folder)


def _go(recipe: Recipe, architecture: str, folder: Path) -> Path:
    go = toolchains.go(architecture)
    # A copy: nothing is ever written into the checkout.
    for file in sources(recipe):
        shutil.copy(file, folder / file.name)
    env = os.environ | {
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
        "CGO_ENABLED": str(int(recipe.c_compiler)),
    }
    result = folder / recipe.name
    version = f"-X {LOKI_MODULE}/pkg/util/build.Version={recipe.version}"
    command: list[str | Path] = [
        go,
        "build",
        "-v",
        "-tags",
        recipe.tags,
        "-ldflags",
        f"-s -w {version}",
        "-o",
        result,
        recipe.program,
    ]
    follow(f"{recipe.name}: compiling", command, folder / "build.log", env, folder)
    return result


def _rust(recipe: Recipe, folder: Path) -> Path:
    cargo = toolchains.rust()
    env = os.environ | {"CARGO_TARGET_DIR": str(folder / "target"), "CARGO_TERM_PROGRESS_WHEN": "never"}
    command: list[str | Path] = [
        cargo,
        "install",
        recipe.source,
        "--version",
        recipe.version,
        "--locked",
        "--root",
        folder,
        "--no-track",
    ]
    follow(f"{recipe.name}: compiling", command, folder / "build.log", env, folder)
    return folder / "bin" / recipe.program
