"""From a recipe to a program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from packages import places, toolchains
from packages.console import follow, run
from packages.errors import PackagesError
from packages.recipes import LOKI_MODULE, Edit, Recipe, sources


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
    _edit(recipe, go, env, folder)
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


def _edit(recipe: Recipe, go: Path, env: dict[str, str], folder: Path) -> None:
    """Make edited copies of the modules that the recipe changes, and have the program built from them."""
    for edit in recipe.edits:
        run(go, "mod", "download", edit.module, env=env, folder=folder)
        original = run(go, "list", "-m", "-f", "{{.Dir}}", edit.module, env=env, folder=folder).strip()
        copy = folder / "edited" / edit.module
        # The contents only: Go keeps its modules read-only.
        shutil.copytree(original, copy, copy_function=shutil.copyfile)
        for each in copy.rglob("*"):
            each.chmod(0o755 if each.is_dir() else 0o644)
        if not (copy / "go.mod").exists():  # modules from before there were any
            (copy / "go.mod").write_text(f"module {edit.module}\n")
        file = copy / edit.file
        file.write_text(edited(file.read_text(), edit))
        run(go, "mod", "edit", f"-replace={edit.module}=./{copy.relative_to(folder)}", env=env, folder=folder)


def edited(text: str, edit: Edit) -> str:
    """Apply an edit. Raises PackagesError when the file does not have the old text exactly once."""
    if text.count(edit.old) != 1:
        raise PackagesError(
            f"{edit.module}/{edit.file} has {edit.old!r} {text.count(edit.old)} times, not once",
            "The module changed: look what became of it, and change the edit in packages/recipes.py.",
        )
    return text.replace(edit.old, edit.new)


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
