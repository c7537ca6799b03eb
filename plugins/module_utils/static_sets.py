# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Keep the files for browsers of services' releases on an edge. Knows nothing of Ansible.

    <root>/static/<service>                    what NGINX serves: a link to the folder of all kept files
    <root>/static-sets/<service>/sets/<id>/    the files of one release, complete or not there
    <root>/static-sets/<service>/kept          the ids of the releases whose files are kept, the newest first
    <root>/static-sets/<service>/all-<hash>/   hard links to the files of all of them

Pages of an older release may ask for its files while a newer one comes, so the files of several releases are
served together. The link changes in one step, after everything it leads to is on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/var/lib/tandem")


class StaticError(Exception):
    """Files can't be placed; the message says why, and what to do."""


@dataclass(frozen=True)
class Change:
    """What has to change for one service: the ids to keep, newest first; none when the service goes."""

    service: str
    keep: tuple[str, ...]
    missing: bool  # whether the newest release's files have to be sent


def plan(releases: Mapping[str, str], plain: Iterable[str], old: int, root: Path = ROOT) -> list[Change]:
    """Return what has to change.

    `releases`: the wanted release of every service that has files; `plain`: services whose release has none, which
    keep what older releases left. All other services lose their files. `old`: how many older releases stay.
    """
    folder = root / "static-sets"
    known = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    served = {path.name for path in (root / "static").iterdir()} if (root / "static").is_dir() else set()
    stay = {*releases, *plain}
    gone = [Change(service, (), False) for service in sorted((known | served) - stay)]
    changes = [_change(service, releases[service], old, root) for service in sorted(releases)]
    return gone + [change for change in changes if change.missing or not _is_done(change, root)]


def _change(service: str, release: str, old: int, root: Path) -> Change:
    place = root / "static-sets" / service
    others = [name for name in _kept(place) if name != release and (place / "sets" / name).is_dir()]
    return Change(service, (release, *others[:old]), not (place / "sets" / release).is_dir())


def _kept(place: Path) -> list[str]:
    try:
        return list(json.loads((place / "kept").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return []


def _is_done(change: Change, root: Path) -> bool:
    place, link = root / "static-sets" / change.service, root / "static" / change.service
    everything = _everything(place, change.keep)
    return (
        _kept(place) == list(change.keep)
        and everything.is_dir()
        and link.is_symlink()
        and link.readlink() == _target(everything)
        and {path.name for path in place.iterdir()} == {"kept", "sets", everything.name}
        and {path.name for path in (place / "sets").iterdir()} == set(change.keep)
    )


def _everything(place: Path, keep: Iterable[str]) -> Path:
    return place / f"all-{hashlib.sha256(json.dumps(list(keep)).encode()).hexdigest()[:12]}"


def _target(everything: Path) -> Path:
    return Path("..") / "static-sets" / everything.parent.name / everything.name


def apply(changes: Iterable[Change], bundle: Path | None, root: Path = ROOT) -> None:
    """Make all changes; `bundle` is a tar archive with a `<service>.tar` for every release that is missing.

    Raises `StaticError`.
    """
    os.umask(0o022)
    for change in changes:
        if change.keep:
            _keep(change, bundle, root)
        else:
            _remove(root / "static" / change.service)
            _remove(root / "static-sets" / change.service)


def _keep(change: Change, bundle: Path | None, root: Path) -> None:
    place = root / "static-sets" / change.service
    sets = place / "sets"
    sets.mkdir(parents=True, exist_ok=True)
    (root / "static").mkdir(exist_ok=True)
    if change.missing:
        _unpack(change, bundle, sets)
    everything = _everything(place, change.keep)
    if not everything.is_dir():
        fresh = _fresh(everything)
        for name in reversed(change.keep):  # the newest wins, should two have a file of the same name
            _link_files(sets / name, fresh)
        _land(fresh, everything)
    _write(place / "kept", json.dumps(change.keep))
    _point(root / "static" / change.service, _target(everything))
    for path in [*place.iterdir(), *sets.iterdir()]:
        if path.name not in {"kept", "sets", everything.name, *change.keep}:
            _remove(path)


def _fresh(target: Path) -> Path:
    """Return an empty folder beside a target, free of what an interrupted run left."""
    folder = target.parent / f".new-{target.name}"
    _remove(folder)
    folder.mkdir()
    return folder


def _land(folder: Path, target: Path) -> None:
    """Let a finished folder appear in one step, after its files are on disk."""
    subprocess.run(["sync", "--file-system", str(folder)], check=True)
    folder.rename(target)


def _unpack(change: Change, bundle: Path | None, sets: Path) -> None:
    release = change.keep[0]
    fresh = _fresh(sets / release)
    try:
        if bundle is None:
            raise KeyError(change.service)
        with (
            tarfile.open(bundle) as outer,
            tarfile.open(fileobj=outer.extractfile(f"{change.service}.tar")) as archive,
        ):
            for member in archive:
                _place(member, archive, fresh)
    except (KeyError, tarfile.TarError):
        raise StaticError(
            f"the files of {change.service} {release} did not arrive. Next: run again"
        ) from None
    _land(fresh, sets / release)


def _place(member: tarfile.TarInfo, archive: tarfile.TarFile, folder: Path) -> None:
    content = archive.extractfile(member) if member.isfile() else None
    if content is None or any(part.startswith(".") for part in Path(member.name).parts):
        raise StaticError(f"an archive has {member.name}, which is no file to be served")
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as stream:
        shutil.copyfileobj(content, stream)
    os.utime(target, (member.mtime, member.mtime))


def _link_files(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            link = target / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            os.link(path, link)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".new-{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _point(link: Path, target: Path) -> None:
    temporary = link.with_name(f".new-{link.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
