# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What an inventory may say about its metrics: ``platform_prometheus``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from .problems import Report, counted, listing, shown
from .project_files import ProjectFiles, absolute
from .schema import Strict, wrong

WHERE = "platform_prometheus"
DURATION = re.compile(r"([1-9]\d*y)?([1-9]\d*w)?([1-9]\d*d)?([1-9]\d*h)?([1-9]\d*m)?([1-9]\d*s)?")
SIZE = re.compile(r"[1-9]\d*(MB|GB|TB)")
PROBE = re.compile(r"/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%&=-]*)?")
# Keys of Prometheus whose values are secrets; each has a twin that names a file.
SECRET_KEYS = {
    "bearer_token": "bearer_token_file",
    "client_secret": "client_secret_file",
    "credentials": "credentials_file",
    "key": "key_file",
    "password": "password_file",
    "secret_key": "a profile, or an instance's own role",
}


def _duration(value: str) -> str:
    if not value or not DURATION.fullmatch(value):
        raise wrong(f"{value!r} is not a duration", "write a number with d, w or y, as in 30d")
    return value


def _size(value: str) -> str:
    if not SIZE.fullmatch(value):
        raise wrong(f"{value!r} is not a size", "write a number with MB, GB or TB, as in 10GB")
    return value


def _probe(value: str) -> str:
    if not PROBE.fullmatch(value):
        raise wrong(f"{value!r} is not a path", "write a path of the public site, as in /products/")
    return value


class PrometheusSettings(Strict):
    """How long samples are kept, what else is scraped, and where samples go besides."""

    retention_time: Annotated[str, AfterValidator(_duration)] = "30d"
    retention_size: Annotated[str, AfterValidator(_size)] = "10GB"
    # Pages that are asked for through every edge; null means: derived from the catalog.
    probes: Annotated[list[Annotated[str, AfterValidator(_probe)]], Field(min_length=1)] | None = None
    # As in prometheus.yml; promtool checks them on the host.
    scrape_configs: Annotated[list[dict[str, Any]], Field(default_factory=list)]
    remote_write: Annotated[list[dict[str, Any]], Field(default_factory=list)]
    # Further files of rules, of the project.
    rule_files: Annotated[list[str], Field(default_factory=list)]
    # Where people find the pages about alerts.
    runbooks_url: Annotated[str, Field(min_length=1)] = "docs/runbooks"


def check_prometheus(
    settings: PrometheusSettings, jobs: frozenset[str], project_dir: str, files: ProjectFiles, report: Report
) -> None:
    """Refuse what Prometheus would refuse on the hosts, as far as it can be seen here.

    ``jobs``: names of the platform's own scrape configurations.
    """
    _check_jobs(settings, jobs, report)
    for index, target in enumerate(settings.remote_write):
        _check_url(f"{WHERE}.remote_write[{index}].url", target.get("url"), report)
    for key in ("scrape_configs", "remote_write"):
        _check_secrets(f"{WHERE}.{key}", getattr(settings, key), report)
    _check_rule_files(settings, project_dir, files, report)


def _check_jobs(settings: PrometheusSettings, jobs: frozenset[str], report: Report) -> None:
    seen: set[str] = set()
    for index, job in enumerate(settings.scrape_configs):
        where, name = f"{WHERE}.scrape_configs[{index}].job_name", job.get("job_name")
        if not isinstance(name, str) or not name:
            report.refuse(where, "is missing", "give every scrape configuration a job_name")
        elif name in jobs:
            report.refuse(
                where, f"{name} is the platform's own", f"choose another; taken are {listing(jobs)}"
            )
        elif name in seen:
            report.refuse(where, f"{name} is there twice", "give every scrape configuration its own job_name")
        else:
            seen.add(name)


def _check_url(where: str, url: Any, report: Report) -> None:
    cure = "write an address with https://, as in https://metrics.example.org/api/v1/write"
    if url is None:
        report.refuse(where, "is missing", cure)
        return
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        report.refuse(where, f"{shown(url)} is not an address", cure)
    elif parts.password is not None:
        report.refuse(
            where, "has a password in it", "name a file of the host: basic_auth: {username, password_file}"
        )


def _check_secrets(where: str, value: Any, report: Report) -> None:
    """The configuration is shown to people, and the API shows most of it: secrets are files of the host."""
    for key, name in _secrets(where, value):
        report.refuse(
            key,
            "is a secret in the inventory's own text",
            f"put it into a file on the obs hosts and write {SECRET_KEYS[name]}",
        )


def _secrets(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name in SECRET_KEYS and isinstance(item, str):
                yield f"{where}.{name}", name
            yield from _secrets(f"{where}.{name}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(f"{where}[{index}]", item)


def _check_rule_files(
    settings: PrometheusSettings, project_dir: str, files: ProjectFiles, report: Report
) -> None:
    named: dict[str, str] = {}
    for index, path in enumerate(settings.rule_files):
        where, full = f"{WHERE}.rule_files[{index}]", absolute(project_dir, path)
        name = full.rpartition("/")[2]
        if not name.endswith((".yml", ".yaml")):
            report.refuse(where, f"{shown(path)} is not a YAML file", "name a file that ends with .yml")
        elif files.text(full) is None:
            report.refuse(
                where,
                f"{shown(path)} is not there (looked for {full})",
                "put the file there, or write its path from platform_project_dir",
            )
        elif name in named:
            report.refuse(
                where,
                f"{shown(path)} has the same file name as {shown(named[name])}",
                f"rename one of the {counted(2, 'file')}: they lie in one folder on the host",
            )
        else:
            named[name] = path
