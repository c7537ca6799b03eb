# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Further package sources of the hosts: what each may be, and what role base gets."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from .problems import Report, shown
from .project_files import ProjectFiles, absolute
from .schema import Strict, as_list, wrong

KEY_BEGINS = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
KEY_ENDS = "-----END PGP PUBLIC KEY BLOCK-----"


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        raise wrong(f"{value!r} is not a name for files", "use a-z, 0-9 and -")
    return value


def _uri(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"\s", value):
        raise wrong(
            f"{value!r} is not an address of a repository", "write http://HOST/PATH or https://HOST/PATH"
        )
    if parts.username is not None:
        # The address itself is not repeated: it may hold a secret.
        raise wrong(
            "holds a user or a password", "leave it out; every user of a host may read package sources"
        )
    return value


def _suite(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9./_~+-]+", value):
        raise wrong(
            f"{value!r} is not a suite", "write one such as stable, or ./ for a repository without suites"
        )
    return value


def _component(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9/_~+-]+", value):
        raise wrong(f"{value!r} is not a component", "write one such as main")
    return value


def _package(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", value):
        raise wrong(
            f"{value!r} is not a package's name", "write whole names, as in loki; there are no patterns"
        )
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9 ._/-]*", value) or value == "Debian":
        raise wrong(
            f"{value!r} is not the origin of a repository like this",
            "copy the field Origin of its Release file",
        )
    return value


Name = Annotated[str, AfterValidator(_name)]
Uri = Annotated[str, AfterValidator(_uri)]
Suite = Annotated[str, AfterValidator(_suite)]
Component = Annotated[str, AfterValidator(_component)]
Package = Annotated[str, AfterValidator(_package)]


class AptRepository(Strict):
    """A source of some packages, by name; nothing else is ever taken from it."""

    name: Annotated[Name, Field(examples=["name: grafana"])]
    uris: Annotated[
        list[Uri], BeforeValidator(as_list), Field(min_length=1, examples=["uris: [https://apt.example.org]"])
    ]
    suites: Annotated[
        list[Suite], BeforeValidator(as_list), Field(min_length=1, examples=["suites: [stable]"])
    ]
    components: Annotated[list[Component], BeforeValidator(as_list), Field(default_factory=list)]
    # The public key as text, or a file on the controller.
    signed_by: Annotated[str, Field(min_length=1, examples=["signed_by: files/repository.asc"])]
    packages: Annotated[
        list[Package], BeforeValidator(as_list), Field(min_length=1, examples=["packages: [loki]"])
    ]
    pin: Annotated[int, Field(ge=1, le=1001)] = 990
    # What its Release file says; tells it apart from Debian's where one host has both.
    origin: Annotated[str, AfterValidator(_origin)] | None = None

    @property
    def key_file(self) -> str | None:
        """The controller's file with the key, or None when ``signed_by`` is the key itself."""
        return None if KEY_BEGINS in self.signed_by else self.signed_by


def check_apt_repositories(
    repositories: list[AptRepository], project_dir: str, files: ProjectFiles, report: Report
) -> None:
    """Refuse repositories that apt would refuse on every host, and keys that are none."""
    seen: dict[str, int] = {}
    for number, repository in enumerate(repositories):
        where = f"platform_apt_repositories[{number}]"
        first = seen.setdefault(repository.name, number)
        if first != number:
            what = f"{shown(repository.name)} is also the name of platform_apt_repositories[{first}]"
            report.refuse(f"{where}.name", what, "give each a name of its own")
        _check_components(where, repository, report)
        _check_key(where, repository, project_dir, files, report)


def _check_components(where: str, repository: AptRepository, report: Report) -> None:
    flat = [suite for suite in repository.suites if suite.endswith("/")]
    if flat and repository.components:
        report.refuse(
            f"{where}.components",
            f"{shown(repository.components)} beside suite {flat[0]}, which is the path of a folder with packages",
            "leave components out, or write the suite's name without a / at its end",
        )
    if len(flat) < len(repository.suites) and not repository.components:
        named = next(suite for suite in repository.suites if suite not in flat)
        report.refuse(
            f"{where}.components",
            f"is missing, and suite {named} needs it",
            "add it, as in components: [main]; a folder with packages is a suite with a / at its end",
        )


def _check_key(
    where: str, repository: AptRepository, project_dir: str, files: ProjectFiles, report: Report
) -> None:
    key, path = key_text(repository, project_dir, files), repository.key_file
    if path is not None and not files.exists(absolute(project_dir, path)):
        report.refuse(
            f"{where}.signed_by",
            f"{shown(path)} is not there (looked for {absolute(project_dir, path)})",
            "put the repository's public key there, or write its path from platform_project_dir; "
            "in the lab, `make packages` makes it",
        )
    elif key is None or KEY_BEGINS not in key or KEY_ENDS not in key:
        report.refuse(
            f"{where}.signed_by",
            "is not a public key in text form",
            f"give the key that begins with {KEY_BEGINS}; `gpg --enarmor` makes text of a binary one",
        )
    elif "PRIVATE KEY" in key:
        report.refuse(
            f"{where}.signed_by", "holds a private key", "give the public one: gpg --armor --export"
        )


def key_text(repository: AptRepository, project_dir: str, files: ProjectFiles) -> str | None:
    """Return the public key, or None when its file can't be read."""
    path = repository.key_file
    return repository.signed_by if path is None else files.text(absolute(project_dir, path))


def apt_repositories_view(
    repositories: list[AptRepository], project_dir: str, files: ProjectFiles
) -> list[dict[str, Any]]:
    """Return what role base places: each repository with its key's text and the hosts that its addresses name."""
    return [
        {
            **repository.model_dump(exclude={"signed_by"}),
            "key": (key_text(repository, project_dir, files) or "").strip() + "\n",
            "hosts": sorted({str(urlsplit(uri).hostname) for uri in repository.uris}),
        }
        for repository in repositories
    ]
