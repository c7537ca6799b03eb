"""From a program to a Debian package: the program and its user. Units and configurations are the roles'."""

from __future__ import annotations

import shutil
from pathlib import Path

from packages.console import run
from packages.recipes import Recipe

MAINTAINER = "The Tandem authors <tandem@example.org>"
POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    systemd-sysusers {name}.conf
fi
"""


def file_name(recipe: Recipe, architecture: str) -> str:
    """Return the package's file name."""
    return f"{recipe.name}_{recipe.version}_{architecture}.deb"


def make(recipe: Recipe, program: Path, architecture: str, folder: Path) -> Path:
    """Pack the program into `folder` and return the package."""
    stage = program.parent / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    for path, (text, mode) in files(recipe, architecture, program.stat().st_size).items():
        target = stage / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
    binary = stage / "usr/bin" / recipe.name
    binary.parent.mkdir(parents=True)
    shutil.copy(program, binary)
    binary.chmod(0o755)
    for directory in (stage, *(path for path in stage.rglob("*") if path.is_dir())):
        directory.chmod(0o755)
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / file_name(recipe, architecture)
    run("dpkg-deb", "--build", "--root-owner-group", "-Zzstd", "-z3", stage, result)
    shutil.rmtree(stage)
    return result


def files(recipe: Recipe, architecture: str, size: int) -> dict[str, tuple[str, int]]:
    """Return the package's text files by path, each with its mode. `size` is the program's, in bytes."""
    found = {
        "DEBIAN/control": (_control(recipe, architecture, size), 0o644),
        f"usr/share/doc/{recipe.name}/copyright": (
            f"{recipe.name} {recipe.version}, {recipe.homepage}\nLicense: {recipe.license}\n",
            0o644,
        ),
    }
    if recipe.user:
        found["DEBIAN/postinst"] = (POSTINST.format(name=recipe.name), 0o755)
        found[f"usr/lib/sysusers.d/{recipe.name}.conf"] = (
            f'u {recipe.user} - "{recipe.description}" /nonexistent /usr/sbin/nologin\n',
            0o644,
        )
    return found


def _control(recipe: Recipe, architecture: str, size: int) -> str:
    depends = [*recipe.depends, *(["systemd"] if recipe.user else [])]
    fields = {
        "Package": recipe.name,
        "Version": recipe.version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size // 1024 + 1),
        **({"Depends": ", ".join(depends)} if depends else {}),
        "Section": "admin",
        "Priority": "optional",
        "Homepage": recipe.homepage,
        "Description": recipe.description,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())
