# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What ``platform_alerts`` may say: who is told, and what the shop promises its users."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from .problems import Report, shown
from .project_files import ProjectFiles, absolute
from .schema import Strict, Words, wrong

MAX_LATENCY_S = 60.0
ADDRESS = re.compile(r"[^\s@,<>\"]+@[^\s@,<>\"]+")
SMARTHOST = re.compile(r"[A-Za-z0-9.-]+:([1-9]\d{0,4})")
HOOK = re.compile(r"https?://[^\s/]+\S*")


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise wrong(f"{value!r} is not a mail address", "write it as operators@example.org, one per entry")
    return value


def _addresses(value: list[str]) -> list[str]:
    return [_address(item) for item in value]


def _smarthost(value: str) -> str:
    found = SMARTHOST.fullmatch(value)
    if not found or int(found[1]) > 65535:
        raise wrong(f"{value!r} is not a mail server", "write HOST:PORT, as in mail.example.org:587")
    return value


def _hook(value: str) -> str:
    if not HOOK.fullmatch(value):
        raise wrong(f"{value!r} is not an address to post to", "write it as https://hooks.example.org/alerts")
    return value


def _share(value: float) -> float:
    if not 50 <= value < 100:
        raise wrong(
            f"{value:g} is not a share that can be promised",
            "write percent from 50 to less than 100, as in 99.9; with 100 the first error would be too many",
        )
    return value


def _seconds(value: float) -> float:
    if not 0 < value <= MAX_LATENCY_S:
        raise wrong(f"{value:g} is not a time to wait for a page", f"write seconds, up to {MAX_LATENCY_S:g}")
    return value


Share = Annotated[float, AfterValidator(_share)]
Url = Annotated[str, AfterValidator(_hook)]


class Email(Strict):
    """Mail to people."""

    to: Annotated[
        Words, AfterValidator(_addresses), Field(min_length=1, examples=["to: [operators@example.org]"])
    ]
    sender: Annotated[str, AfterValidator(_address), Field(examples=["sender: alerts@example.org"])]
    smarthost: Annotated[str, AfterValidator(_smarthost), Field(examples=["smarthost: mail.example.org:587"])]
    user: str | None = None
    password_file: str | None = None
    require_tls: bool = True


class Hook(Strict):
    """Where something is posted."""

    url: Annotated[Url, Field(examples=["url: https://hooks.example.org/alerts"])]
    token_file: str | None = None


class Objectives(Strict):
    """What users may expect of the edges, in percent: requests without a server's error, and quick ones."""

    availability: Share = 99.9
    latency: Share = 99.0
    latency_seconds: Annotated[float, AfterValidator(_seconds)] = 0.5


class Alerts(Strict):
    """``platform_alerts``: without it, alerts are seen in Alertmanager and by ``make status`` only."""

    email: Email | None = None
    webhook: Hook | None = None
    dead_man: Hook | None = None
    objectives: Annotated[Objectives, Field(default_factory=Objectives)]


def check_alerts(alerts: Alerts, project: str, files: ProjectFiles, report: Report) -> None:
    """Refuse a login that lacks its half, and files that are not there."""
    email = alerts.email
    if email is not None and (email.user is None) != (email.password_file is None):
        missing = "password_file" if email.password_file is None else "user"
        report.refuse(
            f"platform_alerts.email.{missing}",
            "is missing, but its other half is there",
            "write both user and password_file, or none to send without a login",
        )
    if email is not None and email.user is not None and not email.require_tls:
        report.refuse(
            "platform_alerts.email.require_tls",
            "false would send the password in clear",
            "remove it, or user and password_file",
        )
    for key, path in secret_files(alerts).items():
        full = absolute(project, path)
        if not files.exists(full):
            report.refuse(
                f"platform_alerts.{key}",
                f"{shown(path)} is not there (looked for {full})",
                "put the file there, or write its path from platform_project_dir",
            )


def secret_files(alerts: Alerts) -> dict[str, str]:
    """Return the controller's files with passwords and tokens, by their keys."""
    found = {
        "email.password_file": alerts.email.password_file if alerts.email else None,
        "webhook.token_file": alerts.webhook.token_file if alerts.webhook else None,
        "dead_man.token_file": alerts.dead_man.token_file if alerts.dead_man else None,
    }
    return {key: path for key, path in found.items() if path is not None}
