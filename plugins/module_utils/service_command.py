# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Run one command of a service on its host as the service itself would. Knows nothing of Ansible.

The command gets the user, environment, credentials, limits and sandbox of the revision that is deployed: a unit is made
of the service's own, run once, and removed. What a command says that changes something goes to the service's log, and
is read from there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import service_host
from .instances_systemd import Systemd, SystemdError

UNITS = Path("/run/systemd/system")
RUNTIME = Path("/run")
# What belongs to a process that stays, or is said anew.
LEFT_OUT = re.compile(
    r"(Type|NotifyAccess|ExecStart|ExecReload|TimeoutStartSec|TimeoutStopSec|Restart\w*|KillMode|OOMPolicy"
    r"|RuntimeDirectory\w*|StateDirectory|SyslogIdentifier|Standard\w+)="
)
# systemd.service(5): a unit that could not be run for a reason of the unit's own ends with 200 and more.
FIRST_OF_SYSTEMD = 200
JOURNAL_SECONDS = 60


class CommandError(Exception):
    """The command could not be run; the message says why and what to do."""


@dataclass(frozen=True)
class Done:
    """How the command ended and what it printed."""

    status: int
    output: str
    errors: str


def run(service: str, words: Sequence[str], record: bool, seconds: int, systemd: Systemd) -> Done:
    """Run a console script of the service's release with arguments, for at most `seconds`.

    With `record` its output is in the service's log, and all of it in `Done.output`.

    Raises `CommandError`, and `service_host.HostError` when the service is not deployed here.
    """
    revision = str(service_host.manifest(service)["revision"])
    own = service_host.unit_text(service, revision)
    if own is None:
        raise CommandError(
            f"{service}: the host lacks the unit of revision {revision}. Next: deploy it again"
        )
    name = f"tandem-command-{service}-{secrets.token_hex(4)}"
    with _folder(RUNTIME / name) as folder:
        unit = UNITS / f"{name}.service"
        unit.parent.mkdir(parents=True, exist_ok=True)
        files = None if record else folder
        unit.write_text(unit_text(service, own, words, files, seconds), encoding="utf-8")
        try:
            return _run(service, unit.name, files, systemd)
        finally:
            unit.unlink()
            systemd.reload()


def unit_text(service: str, own: str, words: Sequence[str], folder: Path | None, seconds: int) -> str:
    """Return the unit that runs the command, given the service's own unit.

    The output goes to files in the folder, or without one to the service's log.

    Raises `CommandError` when the service's unit says no working directory.
    """
    section = own.partition("[Service]\n")[2].partition("\n[")[0]
    lines = [
        line.replace("%i", "0")
        for line in section.splitlines()
        if line and not line.startswith("#") and not LEFT_OUT.match(line) and "/instance-%i" not in line
    ]
    found = re.search(r"^WorkingDirectory=(.+?)/?$", section, re.MULTILINE)
    if found is None:
        raise CommandError(f"{service}: its unit says no working directory. Next: deploy it again")
    release = found[1]
    start = " ".join([f"{release}/bin/{words[0]}", *map(_quoted, words[1:])])
    return "\n".join(
        [
            "[Unit]",
            f"Description={service}: a command run by hand",
            "[Service]",
            "Type=oneshot",
            f"TimeoutStartSec={seconds}",
            f"ExecStart={start}",
            f"Environment=PYTHONPATH={release}/site PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1 PYTHONUNBUFFERED=1",
            *lines,
            *_output(service, folder),
            "",
        ]
    )


def _output(service: str, folder: Path | None) -> list[str]:
    if folder is not None:
        return [f"StandardOutput=file:{folder}/output", f"StandardError=file:{folder}/errors"]
    return [f"SyslogIdentifier={service}-command", "LogRateLimitIntervalSec=0"]


def _quoted(word: str) -> str:
    """As ExecStart takes it literally (systemd.service(5), command lines)."""
    return json.dumps(word.replace("%", "%%").replace("$", "$$"), ensure_ascii=False)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _run(service: str, unit: str, folder: Path | None, systemd: Systemd) -> Done:
    systemd.reload()
    reason = ""
    try:
        systemd.call("start", "--", unit)
    except SystemdError as error:
        reason = str(error)
    seen = systemd.properties(unit, ["ExecMainStatus", "ExecMainCode", "Result"])
    systemd.forget_failures(unit)
    status = int(seen["ExecMainStatus"])
    output = _logged(service, unit) if folder is None else _text(folder / "output")
    errors = "" if folder is None else _text(folder / "errors")
    # CLD_EXITED: anything else is a signal, or no process at all.
    if reason and (seen["ExecMainCode"] != str(os.CLD_EXITED) or status >= FIRST_OF_SYSTEMD):
        raise CommandError(f"{unit} did not run to its end ({seen['Result']}): {errors or output or reason}")
    return Done(status, output, errors)


def _logged(service: str, unit: str) -> str:
    """Return what the unit's process has said to the service's log."""
    journal = ["journalctl", "--no-pager", f"--namespace={service}"]
    subprocess.run([*journal, "--sync"], capture_output=True, check=False, timeout=JOURNAL_SECONDS)
    done = subprocess.run(
        [*journal, "--quiet", "--output=cat", f"_SYSTEMD_UNIT={unit}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=JOURNAL_SECONDS,
    )
    return done.stdout


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
