# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Make releases on the controller: from a service's app, all wheels that it needs on the hosts.

A release is a description (JSON) that names wheels in the cache. Its id is the hash of what it is made
from: the app's files, its local packages' files, the lock, the hosts' Python and the way of building. While
that stays the same nothing is built or downloaded, and no index is asked.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from . import releases_assets as assets
from . import releases_pip as pip
from .releases_cache import Cache
from .releases_lock import MAKE_LOCK, Lock, LockError, Pin, parse_lock
from .releases_sources import LOCK_NAME, Project, SourceError, copy_project, with_local
from .releases_target import Target
from .releases_wheel import Metadata, Wheel, WheelError, identify, missing, read_metadata

# Part of every id: raise it when the same inputs shall give another release.
BUILDER = 1
ID_LENGTH = 12
PARALLEL = 4
MAX_ROUNDS = 5
Item = TypeVar("Item")
Made = TypeVar("Made")


class ReleaseError(Exception):
    """One or more releases can't be made; the message names each service, the cause and the cure."""


@dataclass(frozen=True)
class App:
    """What a catalog entry's `app:` is.

    `kind` and `source`: folder (a path), wheel (a path) or requirement (name==version).
    """

    service: str
    kind: str
    source: str
    target: Target = field(default_factory=Target)


@dataclass(frozen=True)
class Inputs:
    """Everything a release is made from; `projects[0]` is the app where it is a folder."""

    app: App
    lock: str = ""
    projects: tuple[Project, ...] = ()
    wheel: Wheel | None = None

    @property
    def id(self) -> str:
        """The release's id; where the app lies plays no part in it."""
        facts = {
            "builder": BUILDER,
            "service": self.app.service,
            "python": self.app.target.python,
            "machine": self.app.target.machine,
            "lock": self.lock,
            "projects": [(project.name, project.digest) for project in self.projects],
            "wheel": self.wheel.sha256 if self.wheel else "",
            "requirement": self.app.source if self.app.kind == "requirement" else "",
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:ID_LENGTH]

    @property
    def static(self) -> str:
        """The hash by which the cache knows the app's files for browsers; empty where there are none."""
        return self.projects[0].digest if self.projects and self.projects[0].assets else ""


@dataclass(frozen=True)
class Release:
    """A finished release: its id, its description's path, and whether it had to be made now.

    `static` is the path of an archive of files for browsers; empty where the app has none.
    """

    service: str
    id: str
    archive: str
    built: bool
    static: str = ""


def make_all(apps: Sequence[App], cache: Cache) -> list[Release]:
    """Return a release per app, made only where the cache has none.

    Raises `ReleaseError` with every problem.
    """
    inputs = _each(apps, read_inputs, lambda app: app.service)
    known = {item.app.service: _cached(cache, item) for item in inputs}
    todo = [item for item in inputs if not known[item.app.service]]
    if todo:
        _Maker(cache).make(todo)
    return [
        Release(
            item.app.service,
            item.id,
            str(cache.description("releases", f"{item.app.service}-{item.id}")),
            not known[item.app.service],
            str(cache.static(item.static)) if item.static else "",
        )
        for item in inputs
    ]


def read_inputs(app: App) -> Inputs:
    """Read and hash what an app's release is made from. Raises `SourceError`."""
    if app.kind == "requirement":
        return Inputs(app)
    path = Path(app.source)
    if app.kind == "wheel":
        if not path.is_file():
            raise SourceError(f"wheel {path} does not exist")
        return Inputs(app, lock=_read_lock(path.with_name(f"{path.name}.lock"), app), wheel=identify(path))
    if not path.is_dir():
        raise SourceError(f"folder {path} does not exist")
    return Inputs(app, lock=_read_lock(path / LOCK_NAME, app), projects=tuple(with_local(path)))


def _read_lock(path: Path, app: App) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        how = MAKE_LOCK.format(python=app.target.python)
        raise SourceError(
            f"{path} does not exist. A release is made only of locked versions; make it by: {how}"
        ) from None


def _cached(cache: Cache, inputs: Inputs) -> bool:
    description = cache.read("releases", f"{inputs.app.service}-{inputs.id}")
    if inputs.static and not cache.static(inputs.static).exists():
        return False
    return description is not None and all(
        cache.wheel(Wheel(**wheel)).exists() for wheel in description["wheels"]
    )


def _each(items: Iterable[Item], work: Callable[[Item], Made], name: Callable[[Item], str]) -> list[Made]:
    """Do something for every item, several at once; raise one `ReleaseError` that tells all problems."""
    listed = list(items)
    problems = []
    results = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [(item, pool.submit(work, item)) for item in listed]
        for item, future in futures:
            try:
                results.append(future.result())
            except (SourceError, LockError, WheelError, pip.PipError, assets.AssetsError) as error:
                problems.append(f"{name(item)}: {error}")
    if problems:
        raise ReleaseError("\n".join(problems))
    return results


class _Maker:
    """Makes several releases together: what they share is built and downloaded once."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def make(self, todo: Sequence[Inputs]) -> None:
        """Make and describe all releases. Raises `ReleaseError`."""
        locks = _each(todo, lambda item: parse_lock(item.lock, item.app.target), _service)
        pairs = list(zip(todo, locks, strict=True))
        projects = {project.digest: project for item in todo for project in item.projects}
        # Downloads wait for the network, builds for the processor.
        with ThreadPoolExecutor(1) as pool:
            downloads = pool.submit(self._fetch_all, pairs)
            built = dict(_each(projects.values(), self._build, lambda project: str(project.folder)))
            downloads.result()
        _each(pairs, lambda pair: self._finish(*pair, built), lambda pair: pair[0].app.service)

    def _fetch_all(self, pairs: Sequence[tuple[Inputs, Lock]]) -> None:
        for target in {item.app.target for item, _ in pairs}:
            self._fetch([lock for item, lock in pairs if item.app.target == target], target)

    def _finish(self, item: Inputs, lock: Lock, built: dict[str, Wheel]) -> None:
        if item.app.kind == "requirement":
            wheels = self._resolve(item.app)
        else:
            wheels = [built[project.digest] for project in item.projects]
            wheels += [self._provided(item.app)] if item.wheel else []
            wheels += [self._locked(pin, item.app.target) for pin in lock.pins]
        self._describe(item, wheels)

    def _build(self, project: Project) -> tuple[str, Wheel]:
        known = self.cache.read("built", project.digest)
        complete = not project.assets or self.cache.static(project.digest).exists()
        if known and complete and self.cache.wheel(Wheel(**known)).exists():
            return project.digest, Wheel(**known)
        with tempfile.TemporaryDirectory(prefix="tandem-build-") as place:
            source, output = Path(place, "source"), Path(place, "output")
            source.mkdir()
            output.mkdir()
            copy_project(project, source)
            if project.assets:
                self._make_assets(project, source / project.assets, output / "static.tar")
            pip.build(source, output)
            file = next(output.glob("*.whl"))
            if not file.name.endswith("-none-any.whl"):
                raise WheelError(
                    f"{file.name} has compiled parts, which fit this machine and not the hosts. "
                    "Next: build it for the hosts elsewhere and name the wheel in `app:`"
                )
            wheel = self.cache.add_wheel(file)
        self.cache.write("built", project.digest, wheel.as_dict())
        return project.digest, wheel

    def _make_assets(self, project: Project, folder: Path, archive: Path) -> None:
        assets.build(folder)
        assets.pack(folder / "dist", archive)
        self.cache.add_static(project.digest, archive)

    def _provided(self, app: App) -> Wheel:
        path = Path(app.source)
        if not app.target.fits(path.name):
            raise WheelError(f"{path.name} does not fit Python {app.target.python} of the hosts")
        with tempfile.TemporaryDirectory(prefix="tandem-wheel-") as place:
            return self.cache.add_wheel(Path(shutil.copy(path, place)))

    def _fetch(self, locks: Iterable[Lock], target: Target) -> None:
        """Download what is locked and not in the cache yet: one call of pip, unless versions differ."""
        listed = list(locks)
        options = list(dict.fromkeys(line for lock in listed for line in lock.options))
        wanted = {pin.line(): pin for lock in listed for pin in lock.pins}
        todo = [pin for pin in wanted.values() if self.cache.find_wheel(pin.hashes, target) is None]
        while todo:
            # pip takes one version of a package per call.
            now = {pin.name: pin for pin in reversed(todo)}
            todo = [pin for pin in todo if now[pin.name] is not pin]
            lines = [*options, *(pin.line() for pin in now.values())]
            try:
                self._download("\n".join(lines), target, ["--no-deps", "--require-hashes"])
            except pip.PipError as error:
                raise ReleaseError(str(error)) from None

    def _download(self, requirements: str, target: Target, options: Sequence[str]) -> list[Wheel]:
        with tempfile.TemporaryDirectory(prefix="tandem-download-") as place:
            pip.download(requirements, Path(place), target, options)
            return [self.cache.add_wheel(path) for path in sorted(Path(place).glob("*.whl"))]

    def _locked(self, pin: Pin, target: Target) -> Wheel:
        wheel = self.cache.find_wheel(pin.hashes, target)
        if wheel is None:
            raise WheelError(
                f"{pin.requirement} was downloaded but is not of the version or hash that is locked"
            )
        return wheel

    def _resolve(self, app: App) -> list[Wheel]:
        """Download a requirement with all it needs.

        pip judges markers by the controller's Python, so what the hosts' Python needs beside is added.
        """
        lines = [app.source]
        for _ in range(MAX_ROUNDS):
            wheels = self._download("\n".join(lines), app.target, [])
            more = missing(self._metadata(wheels), [Requirement(app.source)], app.target)
            if not more:
                return wheels
            lines += [text.split(" (", 1)[0] for text in more]
        raise WheelError(f"{app.source} can't be resolved for Python {app.target.python}: {', '.join(more)}")

    def _metadata(self, wheels: Iterable[Wheel]) -> dict[str, tuple[str, Metadata]]:
        return {wheel.name: (wheel.version, read_metadata(self.cache.wheel(wheel))) for wheel in wheels}

    def _describe(self, item: Inputs, wheels: Sequence[Wheel]) -> None:
        """Check that the wheels are complete, and write the release's description."""
        metadata = self._metadata(wheels)
        lacking = missing(metadata, self._roots(item, wheels), item.app.target)
        if lacking:
            how = MAKE_LOCK.format(python=item.app.target.python)
            raise WheelError(f"the lock lacks {', '.join(sorted(lacking))}. Next: {how}")
        scripts: dict[str, str] = {}
        for wheel in reversed(wheels):  # the app's own come first in the list and win
            scripts |= metadata[wheel.name][1].scripts
        self.cache.write(
            "releases",
            f"{item.app.service}-{item.id}",
            {
                "service": item.app.service,
                "id": item.id,
                "python": item.app.target.python,
                "machine": item.app.target.machine,
                "wheels": [wheel.as_dict() for wheel in sorted(wheels, key=lambda wheel: wheel.name)],
                "scripts": scripts,
            },
        )

    def _roots(self, item: Inputs, wheels: Sequence[Wheel]) -> list[Requirement]:
        if item.app.kind == "requirement":
            return [Requirement(item.app.source)]
        names = [project.name for project in item.projects] or [wheels[0].name]
        return [Requirement(canonicalize_name(name)) for name in names]


def _service(item: Inputs) -> str:
    return item.app.service
