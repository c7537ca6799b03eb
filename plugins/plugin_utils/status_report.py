# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""The platform on one screen, and what is wrong with it. Pure functions of what the module platform_status found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

CERTIFICATE_DAYS = 21
"""Certificates are renewed earlier (30 days), so one that ends sooner has been forgotten."""
OUTBOX_SECONDS = 60.0
SECONDS_PER_DAY = 86400
Status = Mapping[str, Any]


@dataclass
class Report:
    """The lines to show, and the problems among them; without one the platform is well."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def say(self, what: str, text: str) -> None:
        """Add a line under a heading."""
        self.lines.append(f"{what:<14}{text}".rstrip())


@dataclass(frozen=True)
class Platform:
    """What the inventory says: name, site by host, and alerts that always fire."""

    name: str
    sites: Mapping[str, str]
    always_firing: Sequence[str] = ()


def report(found: Mapping[str, Status], away: Mapping[str, str], platform: Platform, now: datetime) -> Report:
    """Return the report. `found` by host that answers, `away` the reasons of those that don't."""
    made = Report()
    _hosts(made, found, away)
    _database(made, found)
    _outboxes(made, found)
    _broker(made, found)
    _services(made, found, platform.sites)
    _certificates(made, found, now)
    made.say("backups", "none are set up")
    _units(made, found)
    _alerts(made, found, platform.always_firing)
    _errors(made, found)
    state = "is well" if not made.problems else f"has {_count(len(made.problems), 'problem')}"
    return Report(
        [
            f"{platform.name} {state} ({now:%Y-%m-%d %H:%M:%S} UTC)",
            "",
            *made.lines,
            *(["", "Problems:", *(f"- {problem}" for problem in made.problems)] if made.problems else []),
        ],
        made.problems,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _told(found: Mapping[str, Status], part: str) -> Iterator[tuple[str, Any]]:
    """Return host and finding of those that have this part and something to tell."""
    return ((host, status[part]) for host, status in found.items() if status.get(part) is not None)


def _hosts(made: Report, found: Mapping[str, Status], away: Mapping[str, str]) -> None:
    made.say("hosts", f"{len(found)} of {len(found) + len(away)} answer")
    made.problems += [f"{host} does not answer: {reason}" for host, reason in away.items()]


def _database(made: Report, found: Mapping[str, Status]) -> None:
    told = next((status for _, status in _told(found, "monitor")), None)
    if told is None:
        made.say("database", "the failover monitor can't be asked")
        made.problems.append("nobody knows which database node leads: the failover monitor can't be asked")
        return
    made.say("database", f"primary {told['primary'] or 'NONE'}; {'; '.join(told['nodes'].values())}")
    made.problems += [f"database: {problem}" for problem in told["problems"]]
    if told["marker"]:
        since = told["marker"]["seconds"]
        made.say("", f"the stall guard's marker: {told['marker']['standby']} may not lead, for {since:.0f} s")
        made.problems.append(f"database: it runs on one copy for {since:.0f} s (docs/stall-guard.md)")


def _outboxes(made: Report, found: Mapping[str, Status]) -> None:
    all_of = {name: state for _, told in _told(found, "outboxes") for name, state in told.items()}
    if not all_of:
        made.say("outboxes", "not known")
        return
    name, oldest = max(all_of.items(), key=lambda item: item[1]["seconds"])
    rows = int(sum(state["rows"] for state in all_of.values()))
    text = f"the oldest event waits {oldest['seconds']:.1f} s ({name}), {rows} in all" if rows else "empty"
    made.say("outboxes", text)
    made.problems += [
        f"outbox of {service}: {_count(int(state['rows']), 'event')}, the oldest since {state['seconds']:.0f} s"
        for service, state in all_of.items()
        if state["seconds"] > OUTBOX_SECONDS
    ]


def _broker(made: Report, found: Mapping[str, Status]) -> None:
    told = [status for _, status in _told(found, "broker")]
    if not told:
        made.say("broker", "no node can be asked")
        made.problems.append("broker: no node can be asked")
        return
    # Nodes may see different clusters during a cut: the largest one is where messages flow.
    best = max(told, key=lambda status: len(status["running"]))
    running, members = len(best["running"]), len(best["members"])
    quorum = "with a quorum" if 2 * running > members else "WITHOUT A QUORUM"
    made.say("broker", f"{running} of {_count(members, 'node')} run, {quorum}")
    made.problems += [
        f"broker: {node} does not run" for node in best["members"] if node not in best["running"]
    ]


def _services(made: Report, found: Mapping[str, Status], sites: Mapping[str, str]) -> None:
    columns = list(dict.fromkeys(sites[host] for host, told in _told(found, "services") if told))
    rows: dict[str, dict[str, list[int]]] = {}
    for host, told in _told(found, "services"):
        for service, state in told.items():
            cell = rows.setdefault(service, {}).setdefault(sites[host], [0, 0])
            cell[0] += state["running"]
            cell[1] += state["wanted"]
            made.problems += _service_problems(service, host, state)
    if not rows:
        made.say("services", "none run")
        return
    width = max(map(len, rows))
    made.say("services", " " * width + "".join(f"  {site:>7}" for site in columns))
    for service in sorted(rows):
        cells = [rows[service].get(site) for site in columns]
        texts = ("" if cell is None else f"{cell[0]}/{cell[1]}" for cell in cells)
        made.say("", f"{service:<{width}}" + "".join(f"  {text:>7}" for text in texts))


def _service_problems(service: str, host: str, state: Mapping[str, int]) -> Iterator[str]:
    if state["running"] < state["wanted"]:
        yield f"{service} on {host}: {state['running']} of {_count(state['wanted'], 'instance')} run"
    if state["drained"]:
        yield f"{service} on {host}: {_count(state['drained'], 'instance')} drained"
    if state["outdated"]:
        yield f"{service} on {host}: {_count(state['outdated'], 'instance')} out of date until the next deployment"


def _certificates(made: Report, found: Mapping[str, Status], now: datetime) -> None:
    ends = [
        ((datetime.fromisoformat(text).astimezone(UTC) - now).total_seconds() / SECONDS_PER_DAY, name, host)
        for host, told in _told(found, "certificates")
        for name, text in told.items()
    ]
    if not ends:
        made.say("certificates", "not known")
        return
    days, name, host = min(ends)
    made.say("certificates", f"the first of {len(ends)} ends in {days:.0f} days ({name} of {host})")
    made.problems += [
        f"certificate {name} of {host} ends in {days:.0f} days"
        if days > 0
        else f"certificate {name} of {host} has ended"
        for days, name, host in sorted(ends)
        if days < CERTIFICATE_DAYS
    ]


def _units(made: Report, found: Mapping[str, Status]) -> None:
    told = list(_told(found, "failed_units"))
    failed = [f"{unit} on {host}" for host, units in told for unit in units]
    made.say("failed units", ", ".join(failed) or ("none" if told else "not known"))
    made.problems += [f"unit {unit} has failed" for unit in failed]


def _alerts(made: Report, found: Mapping[str, Status], always: Iterable[str]) -> None:
    told = [alerts for _, alerts in _told(found, "alerts")]
    if not told:
        made.say("alerts", "no Alertmanager can be asked")
        return
    unique = {(alert["severity"], alert["name"], alert["summary"]) for alerts in told for alert in alerts}
    firing = sorted(alert for alert in unique if alert[1] not in always)
    made.say("alerts", "none fire" if not firing else f"{_count(len(firing), 'alert')}")
    made.problems += [f"alert {name} ({severity}): {summary}" for severity, name, summary in firing]


def _errors(made: Report, found: Mapping[str, Status]) -> None:
    made.problems += [
        f"{part} of {host} can't be found out: {reason}"
        for host, status in found.items()
        for part, reason in status.get("errors", {}).items()
    ]
