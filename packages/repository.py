"""A flat apt repository: packages, their index and its signature in one folder, replaced in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from packages import places, signing
from packages.console import run, say

KEY = "tandem-packages.asc"
ORIGIN = "Tandem"
INDEXES = ("Packages", "Packages.gz", "Release", "InRelease", KEY)


def publish(debs: Iterable[Path]) -> Path:
    """Make the repository of these packages the present one, and return the link to it.

    Nothing happens when it is already.
    """
    listed = sorted(debs, key=lambda path: path.name)
    signing.ensure()
    try:
        public = signing.public()
        target = places.repositories() / _name(listed, public)
        if not target.is_dir():
            _make(target, listed, public)
    finally:
        signing.rest()
    _point(places.repository(), target)
    return places.repository()


def _name(debs: list[Path], public: str) -> str:
    digest = hashlib.sha256(public.encode())
    for deb in debs:
        digest.update(deb.parent.name.encode() + b"/" + deb.name.encode() + b"\0")
    return digest.hexdigest()[:12]


def _make(target: Path, debs: list[Path], public: str) -> None:
    making = target.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for deb in debs:
        os.link(deb, making / deb.name)
    (making / "Packages").write_text(run("apt-ftparchive", "packages", ".", folder=making))
    run("gzip", "--keep", "-9", "--no-name", "Packages", folder=making)
    settings = {"Origin": ORIGIN, "Label": ORIGIN, "Suite": "./", "Description": "packages that Debian lacks"}
    options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in settings.items()]
    (making / "Release").write_text(run("apt-ftparchive", *options, "release", ".", folder=making))
    signing.sign(making / "Release", making / "InRelease")
    (making / KEY).write_text(public)
    making.rename(target)
    say(f"signed a repository of {', '.join(deb.name for deb in debs)}")


def _point(link: Path, target: Path) -> None:
    """Let the link lead to the folder; hosts that read meanwhile see the old one or the new one."""
    if link.is_symlink() and link.readlink() == target:
        return
    new = link.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(link)
