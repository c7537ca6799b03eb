# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the catalog and the project's files: apps, environment files, init scripts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from .catalog import Service, source_kind
from .problems import Report, did_you_mean, shown
from .project_files import ProjectFiles, absolute
from .revisions import ENVIRONMENT_LINE
from .service_names import is_derived
from .services import Catalog

GUNICORN = re.compile(r"(?mi)^gunicorn(\[[^\]]*\])?\s*==")


def check_files(catalog: Catalog, project_dir: str, files: ProjectFiles, report: Report) -> None:
    """Refuse apps, environment files and init scripts that the project does not have."""
    for name, service in catalog.entries.items():
        _check_app(name, service, catalog, project_dir, files, report)
        for number, path in enumerate(service.env_file):
            where = catalog.where(name, "env_file", number)
            if _is_there(where, path, project_dir, files, report):
                _check_env_file(where, absolute(project_dir, path), service, files, report)
        _check_init(name, service, catalog, project_dir, files, report)


def _check_app(
    name: str, service: Service, catalog: Catalog, project_dir: str, files: ProjectFiles, report: Report
) -> None:
    where, kind = catalog.where(name, "app"), source_kind(service.app)
    if (
        kind == "requirement"
        or not _is_there(where, service.app, project_dir, files, report)
        or kind == "wheel"
    ):
        return
    for needed in ("pyproject.toml", "requirements.lock"):
        if not files.exists(posixpath.join(absolute(project_dir, service.app), needed)):
            report.refuse(
                where,
                f"{shown(service.app)} has no {needed}",
                f"add {needed}; an app is a folder with pyproject.toml and requirements.lock, a .whl, "
                "or name==version",
            )
    if service.serves_wsgi:
        _check_gunicorn(where, absolute(project_dir, service.app), files, report)


def _check_gunicorn(where: str, folder: str, files: ProjectFiles, report: Report) -> None:
    lock = files.text(posixpath.join(folder, "requirements.lock"))
    if lock is not None and not GUNICORN.search(lock):
        report.refuse(
            where,
            "requirements.lock does not have gunicorn, which runs services with a port",
            "add gunicorn to the app's dependencies and lock them again, or give the service a command",
        )


def _check_init(
    name: str, service: Service, catalog: Catalog, project_dir: str, files: ProjectFiles, report: Report
) -> None:
    paths = service.database.init if service.database else []
    bases = [posixpath.basename(path) for path in paths]
    for number, path in enumerate(paths):
        where = catalog.where(name, "database", "init", number)
        _is_there(where, path, project_dir, files, report)
        first = bases.index(bases[number])
        if first != number:
            what = f"{shown(path)} is named like {shown(paths[first])}"
            report.refuse(where, what, "rename one: what has run is noted by file name")


def _is_there(where: str, path: str, project_dir: str, files: ProjectFiles, report: Report) -> bool:
    full = absolute(project_dir, path)
    if files.exists(full):
        return True
    folder = posixpath.dirname(path.rstrip("/"))
    beside = [posixpath.join(folder, other) for other in files.names(posixpath.dirname(full))]
    otherwise = "create it, or write its path from platform_project_dir"
    report.refuse(
        where, f"{shown(path)} is not there (looked for {full})", did_you_mean(path, beside, otherwise)
    )
    return False


def env_file_variables(text: str) -> Iterator[tuple[int, str | None]]:
    """Return (line number, variable) of an environment file; None for a line that is not NAME=value."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = ENVIRONMENT_LINE.fullmatch(line.strip())
        yield number, found[1] if found else None


def _check_env_file(where: str, path: str, service: Service, files: ProjectFiles, report: Report) -> None:
    for number, variable in env_file_variables(files.text(path) or ""):
        # The line itself is not repeated: it may hold a secret.
        if variable is None:
            report.refuse(where, f"line {number} of {path} is not NAME=value", "correct the line")
        elif is_derived(variable, service):
            report.refuse(
                where, f"line {number} of {path} sets {variable}, which the platform sets", "rename it"
            )
