# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Compare wanted states of systemd units with those that systemd reports.

Used by the module `tandem.platform.units`; knows nothing of Ansible. All units are asked for in one call and
changed in one call per verb, because each call costs tens of milliseconds.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "NeedDaemonReload",
    "CanReload",
)
STATES = ("started", "stopped", "restarted", "reloaded", "reloaded_if_running")
NEED_A_FILE = {"started", "restarted", "reloaded"}
# What `systemctl is-enabled` counts as enabled.
ENABLED = {"enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "transient"}
# What `systemctl disable` can end.
DISABLES = {"enabled", "enabled-runtime", "linked", "linked-runtime"}
MASKED = {"masked", "masked-runtime"}
JOURNAL_LINES = 20

Systemctl = Callable[[list[str]], subprocess.CompletedProcess[str]]


class UnitError(Exception):
    """A unit can't get into the wanted state; the message says why and what to do next."""


@dataclass(frozen=True)
class Wanted:
    """What the task wants of one unit; None leaves that side alone."""

    name: str
    state: str | None = None
    enabled: bool | None = None
    masked: bool | None = None

    @property
    def template(self) -> bool:
        """Whether this is a template such as x@.service, which can be masked but never runs."""
        return "@." in self.name


@dataclass(frozen=True)
class Found:
    """What systemd says of one unit."""

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    result: str = ""
    file_state: str = ""
    stale: bool = False
    can_reload: bool = True

    @property
    def masked(self) -> bool:
        """Whether the unit can't be started by anyone."""
        return self.load == "masked" or self.file_state in MASKED

    @property
    def exists(self) -> bool:
        """Whether systemd has a unit file for it."""
        return self.load != "not-found" or bool(self.file_state)

    @property
    def running(self) -> bool:
        """Whether it is up or on its way, and not merely between two crashes."""
        return self.active in {"active", "activating", "reloading", "refreshing"} and not self.sub.startswith(
            "auto-restart"
        )


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Call systemctl; the caller judges the exit code."""
    command = ["systemctl", "--no-pager", "--no-ask-password", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def check(units: list[Wanted]) -> None:
    """Refuse wishes that contradict themselves. Raises `UnitError` with all of them."""
    problems = []
    names = [unit.name for unit in units]
    for unit in units:
        if "." not in unit.name:
            problems.append(f"{unit.name}: give the whole name, such as {unit.name}.service")
        if unit.masked and (unit.enabled or unit.state in NEED_A_FILE):
            problems.append(f"{unit.name}: a masked unit can be neither enabled nor running")
        if unit.template and (unit.state or unit.enabled is not None):
            problems.append(f"{unit.name}: a template can only be masked; name an instance of it")
        if names.count(unit.name) > 1:
            problems.append(f"{unit.name} is listed {names.count(unit.name)} times")
    if problems:
        raise UnitError("\n".join(dict.fromkeys(problems)))


def show(names: list[str], systemctl: Systemctl = run) -> dict[str, Found]:
    """Return what systemd knows of each unit, asked in one call (templates: one more)."""
    found: dict[str, Found] = {}
    templates = [name for name in names if "@." in name]
    others = [name for name in names if "@." not in name]
    if others:
        done = systemctl(["show", f"--property={','.join(PROPERTIES)}", "--", *others])
        blocks = [block for block in done.stdout.strip().split("\n\n") if block]
        if done.returncode != 0 or len(blocks) != len(others):
            said = done.stderr.strip() or done.stdout.strip()
            raise UnitError(f"systemd could not be asked about {', '.join(others)}: {said}")
        found.update({name: _parse(block) for name, block in zip(others, blocks, strict=True)})
    for name in templates:
        state = systemctl(["is-enabled", "--", name]).stdout.strip()
        found[name] = Found(load="masked" if state in MASKED else "", file_state=state)
    return found


def _parse(block: str) -> Found:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    return Found(
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        sub=values.get("SubState", "dead"),
        result=values.get("Result", ""),
        file_state=values.get("UnitFileState", ""),
        stale=values.get("NeedDaemonReload") == "yes",
        can_reload=values.get("CanReload") != "no",
    )


def unit_file_steps(units: list[Wanted], found: dict[str, Found]) -> list[tuple[str, list[str]]]:
    """Return (verb, units) of masking; what systemd must know before it is asked again."""
    mask = [unit.name for unit in units if unit.masked is True and not found[unit.name].masked]
    unmask = [unit.name for unit in units if unit.masked is False and found[unit.name].masked]
    return [(verb, names) for verb, names in (("mask", mask), ("unmask", unmask)) if names]


def enable_steps(units: list[Wanted], found: dict[str, Found]) -> list[tuple[str, list[str]]]:
    """Return (verb, units) of enabling and disabling."""
    enable = [unit.name for unit in units if unit.enabled and found[unit.name].file_state not in ENABLED]
    disable = [
        unit.name for unit in units if unit.enabled is False and found[unit.name].file_state in DISABLES
    ]
    return [(verb, names) for verb, names in (("enable", enable), ("disable", disable)) if names]


def state_steps(units: list[Wanted], found: dict[str, Found]) -> list[tuple[str, list[str]]]:
    """Return (verb, units) that lead to the wanted states, in the order stop, start, reload, restart."""
    verbs: dict[str, list[str]] = {"stop": [], "start": [], "reload": [], "restart": []}
    for unit in units:
        verb = _verb(unit, found[unit.name])
        if verb:
            verbs[verb].append(unit.name)
    return [(verb, names) for verb, names in verbs.items() if names]


def _verb(unit: Wanted, found: Found) -> str | None:
    if unit.state == "stopped" or unit.masked:
        return "stop" if found.running or found.active == "deactivating" else None
    if unit.state == "restarted":
        return "restart"
    if unit.state in {"reloaded", "reloaded_if_running"} and found.running:
        return "reload"
    if unit.state in {"started", "reloaded"} and not found.running:
        return "start"
    return None


def missing(units: list[Wanted], found: dict[str, Found]) -> list[str]:
    """Return wanted units that have no unit file, one readable line each."""
    return [
        f"{unit.name} does not exist on this host. Next: install the package or place the unit file that "
        "brings it, in an earlier task; `systemctl cat` shows what systemd finds."
        for unit in units
        if (unit.enabled or unit.state in NEED_A_FILE) and not found[unit.name].exists
    ]


def failures(units: list[Wanted], systemctl: Systemctl = run) -> list[str]:
    """Return a description of every unit that should run and does not: state, journal, next step."""
    names = [unit.name for unit in units if unit.state in NEED_A_FILE]
    if not names:
        return []
    found = show(names, systemctl)
    return [describe(name, found[name]) for name in names if not _settled(found[name])]


def _settled(found: Found) -> bool:
    # A oneshot unit that has done its work is inactive with result "success".
    return found.running or (found.active == "inactive" and found.result in {"success", ""})


def describe(name: str, found: Found) -> str:
    """Return why a unit is not as wanted, with the end of its journal."""
    options = ["--no-pager", "--quiet", "--output=short-iso", f"--lines={JOURNAL_LINES}"]
    journal = subprocess.run(
        ["journalctl", *options, f"--unit={name}"],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    lines = journal.stdout.strip() or "(the journal has nothing about it)"
    return (
        f"{name} is {found.active} ({found.sub}), loaded: {found.load}, result: {found.result or 'unknown'}. "
        f"The end of its journal:\n{lines}\n"
        f"Next: `systemctl status {name}` and `journalctl -u {name}` on the host."
    )
