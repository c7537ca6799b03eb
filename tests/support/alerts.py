"""What fires on the lab, and who was told: the Alertmanagers' own lists, the mails and the posts that arrived."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lab import Lab
from lab.outside import HOOKS_PORT, MAILS_PORT
from tests.support.orderstate import outside

TLS = "/etc/tandem/tls"
PORT = 9093
ALWAYS = "Watchdog"
"""Fires as long as all is well."""
SUBJECT = re.compile(r"(?P<status>FIRING|RESOLVED) (?P<severity>page|ticket): (?P<group>.+) \(\d+\)")


@dataclass(frozen=True)
class Alert:
    """An alert that fires; held: something that explains it fires, too, so nobody is told."""

    name: str
    labels: Mapping[str, str]
    held: bool

    @property
    def where(self) -> str:
        """Its host, or its site, or what else it is about."""
        return next(
            (self.labels[label] for label in ("host", "site", "service", "queue") if label in self.labels), ""
        )

    def __str__(self) -> str:
        return f"{self.name} {self.where}".strip()


@dataclass(frozen=True)
class Mail:
    """A mail about alerts: FIRING or RESOLVED, what it groups (name and site), and when it came (s since 1970)."""

    status: str
    group: str
    received_at: float


def firing(lab: Lab, host: str) -> list[Alert]:
    """The alerts of the Alertmanager on a host, also those that are held back. AssertionError: it does not answer."""
    command = ["curl", "-sS", "--fail-with-body", "--max-time", "10", "--cacert", f"{TLS}/ca.pem"]
    command += ["--cert", f"{TLS}/alertmanager/certificate.pem", "--key", f"{TLS}/alertmanager/key.pem"]
    done = lab.run(host, [*command, f"https://{host}:{PORT}/api/v2/alerts"], timeout=20)
    assert done.returncode == 0, f"Alertmanager on {host}: {done.stdout}{done.stderr}"
    return parse(json.loads(done.stdout))


def parse(answer: list[dict[str, Any]]) -> list[Alert]:
    """The alerts of an answer of Alertmanager's API, without the one that always fires."""
    return [
        Alert(item["labels"]["alertname"], item["labels"], bool(item["status"]["inhibitedBy"]))
        for item in answer
        if item["labels"]["alertname"] != ALWAYS
    ]


def mails(lab: Lab, since: float) -> list[Mail]:
    """The mails about alerts that came after a moment (s since 1970), oldest first."""
    found = []
    for mail in outside(lab, MAILS_PORT, "mails"):
        subject = SUBJECT.fullmatch(str(mail["subject"] or ""))
        if subject and float(mail["received_at"]) >= since:
            found.append(Mail(subject["status"], subject["group"], float(mail["received_at"])))
    return found


@dataclass(frozen=True)
class Notice:
    """What one post tells of: an alert's name, and the site where it fires, or nothing."""

    name: str
    site: str

    def __str__(self) -> str:
        return f"{self.name} {self.site}".strip()

    @staticmethod
    def of(body: Mapping[str, Any], status: str) -> list[Notice]:
        """The alerts of a post in a status, `firing` or `resolved`."""
        found = [item["labels"] for item in body["alerts"] if item["status"] == status]
        return [Notice(labels["alertname"], labels.get("site", "")) for labels in found]


def posted(lab: Lab, since: float, senders: Collection[str]) -> list[dict[str, Any]]:
    """Bodies, as Alertmanager makes them, that the webhook's receiver got from hosts after a moment (s since 1970)."""
    posts = outside(lab, HOOKS_PORT, "posts?path=/alerts")
    return [
        dict(post["body"])
        for post in posts
        if float(post["received_at"]) >= since and urlsplit(post["body"]["externalURL"]).hostname in senders
    ]
