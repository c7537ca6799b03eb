# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What a host gets for one service: a revision, a folder with release, environment, secrets and unit.

A revision's folder holds everything that an instance needs to start, and never changes: two instances of a
service can run different revisions, during a release and after one that failed. Pure functions; the action
plugin `service_revisions` renders the templates and hands the entries to `tandem.platform.files`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import supervised, timers

RUNNER = "timer_runner"  # a package in /opt/tandem/lib
SERVICES = "/opt/tandem/services"
SETTINGS = "/etc/tandem/services"
ID_LENGTH = 12
# Stand in a rendered unit for what is known only after it is hashed, or must not change the hash.
REVISION_MARK, AFTER_MARK = "@REVISION@", "@AFTER@"
LIMITS_MARK, NUMBER_MARK = "@LIMITS@", "@NUMBER@"
ENVIRONMENT_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
# on-failure:n counts the starts of this long; systemd's own default (10 s) is shorter than its back-off.
RESTART_WINDOW_SECONDS = 600
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


class RevisionError(Exception):
    """A service can't be described for a host; the message says what to change."""


def parse_environment(text: str, path: str) -> dict[str, str]:
    """Read an `env_file`: NAME=value lines, quotes around a value removed. Raises `RevisionError`."""
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = ENVIRONMENT_LINE.fullmatch(line)
        if found is None:
            # The line is not repeated: it may hold a secret.
            raise RevisionError(f"{path}:{number} is not of the form NAME=value")
        value = found[2].strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[found[1]] = value
    return values


def environment_text(values: Mapping[str, str]) -> str:
    """Return an EnvironmentFile, in which nothing is expanded (systemd.exec: quotes and backslashes only)."""
    quoted = {name: re.sub(r'([\\"`$])', r"\\\1", value) for name, value in values.items()}
    return "".join(f'{name}="{quoted[name]}"\n' for name in sorted(quoted))


def exec_line(words: list[str]) -> str:
    """Return a command as ExecStart takes it literally: no specifiers, variables or special characters."""
    return " ".join(_exec_word(word) for word in words)


def _exec_word(word: str) -> str:
    plain = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return plain if re.fullmatch(r"[\w@%+=:,./$-]+", plain) else f'"{plain}"'


def restart_settings(policy: str) -> dict[str, Any]:
    """Return systemd's words for a restart policy: policy, interval (seconds, 0: never give up), burst."""
    name, _, count = policy.partition(":")
    if name == "no":
        return {"policy": "no", "interval": 0, "burst": 0}
    if name == "on-failure":
        # Burst counts the first start too.
        burst = int(count) + 1 if count else 0
        return {"policy": "on-failure", "interval": RESTART_WINDOW_SECONDS if count else 0, "burst": burst}
    return {"policy": "always", "interval": 0, "burst": 0}


def log_settings(logging: Mapping[str, Any]) -> dict[str, Any]:
    """Return journald's limits: max_size of a file, max_file of them, max_use together."""
    size, count = str(logging["max_size"]), int(logging["max_file"])
    bytes_each = int(size[:-1]) * UNITS[size[-1].upper()]
    return {"max_size": size.upper(), "max_file": count, "max_use": f"{bytes_each * count // UNITS['K']}K"}


def volume(text: str) -> dict[str, Any]:
    """Return source, target and read_only of "source:target[:ro|rw]"."""
    source, target, *mode = text.split(":")
    return {"source": source, "target": target, "read_only": mode == ["ro"]}


def program(words: list[str], release: Mapping[str, Any], key: str) -> list[str]:
    """Return a command with its first word as a path: a console script of the release, or absolute already.

    Raises `RevisionError` when the release has no such script.
    """
    first, *others = words
    if first.startswith("/"):
        return words
    if first not in release["scripts"]:
        known = ", ".join(sorted(release["scripts"])) or "none"
        raise RevisionError(
            f"{release['service']}: {key} starts with '{first}', which is no console script of the release "
            f"(it has: {known}). Next: add it to [project.scripts], or the package that brings it to the lock"
        )
    return [f"{SERVICES}/{release['service']}/releases/{release['id']}/bin/{first}", *others]


@dataclass(frozen=True)
class Inputs:
    """One service on one host: view, description of the release, secrets by credential, texts of env files.

    The release of a part is that of the service to which it belongs.
    """

    view: Mapping[str, Any]
    release: Mapping[str, Any]
    credentials: Mapping[str, str]
    env_files: Mapping[str, str]
    times: timers.Times = field(default_factory=timers.Times)

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self.view["name"])

    @property
    def folder(self) -> str:
        """Where its settings are."""
        return f"{SETTINGS}/{self.name}"

    @property
    def is_timer(self) -> bool:
        """Whether a schedule starts it."""
        return bool(self.view.get("schedule"))

    def timer_plan(self) -> dict[str, Any]:
        """Return what a timer's runner is told. Raises `RevisionError`."""
        return timers.plan(
            self.view, program(list(self.view["command"]), self.release, "command"), self.times
        )

    def environment(self) -> dict[str, str]:
        """Return the whole environment; the catalog's wins over the files', later files over earlier ones."""
        merged: dict[str, str] = {}
        for path, text in self.env_files.items():
            merged |= parse_environment(text, path)
        return merged | {name: str(value) for name, value in self.view["environment"].items()}

    @property
    def supervised(self) -> bool:
        """Whether it runs under supervisord."""
        return bool(self.view["manager"] == "supervisord") and not self.is_timer

    @property
    def unit_template(self) -> str:
        """The template of the unit by which it starts."""
        if self.is_timer:
            return "scheduled.unit.j2"
        return "supervisord.unit.j2" if self.supervised else "service.unit.j2"

    def words(self, revision: str = REVISION_MARK) -> list[str]:
        """Return the command of an instance. Raises `RevisionError`."""
        command = self.view["command"]
        if self.is_timer:
            return ["/usr/bin/python3", "-s", "-m", RUNNER, f"{self.folder}/revisions/{revision}/timer.json"]
        if self.view["wsgi"]:
            config = f"{self.folder}/revisions/{revision}/gunicorn.conf.py"
            words = program(["gunicorn"], self.release, "the unit")
            return [*words, "--config", config, self.view["wsgi"]]
        if command:
            return program(list(command), self.release, "command")
        raise RevisionError(f"{self.name} has neither a port (for a web application) nor a command")

    @property
    def is_measured(self) -> bool:
        """Whether a command of its own tells how much it has to do."""
        return bool(self.view.get("autoscale") and self.view["autoscale"]["measure"])

    def _measure(self) -> str | None:
        if not self.is_measured:
            return None
        return exec_line(program(list(self.view["autoscale"]["measure"]), self.release, "command"))

    def context(self, revision: str = REVISION_MARK, after: str = AFTER_MARK) -> dict[str, Any]:
        """Return the variables of the templates. Raises `RevisionError`."""
        words = self.words(revision)
        return {
            "service": dict(self.view),
            "release": dict(self.release),
            "revision": revision,
            "after": after,
            "start": exec_line(words),
            "shell": shlex.join(words),
            "measure": self._measure(),
            "supervised": supervised.settings(str(self.view["restart"])),
            "limits": LIMITS_MARK,
            "number": NUMBER_MARK,
            "calendar": timers.calendar(self.view) if self.is_timer else None,
            "restart": restart_settings(str(self.view["restart"])),
            "logging": log_settings(self.view["logging"]),
            "volumes": [volume(text) for text in self.view["volumes"]],
            "credentials": sorted(self.credentials),
            "paths": {
                "release": f"{SERVICES}/{self.release['service']}/releases/{self.release['id']}",
                "revision": f"{self.folder}/revisions/{revision}",
                "migration": f"{self.folder}/migration",
            },
        }


@dataclass(frozen=True)
class Rendered:
    """A service's rendered templates, with marks."""

    unit: str
    gunicorn: str | None
    logging: str
    migration: str
    timer: str | None = None
    supervised: supervised.Rendered | None = None
    measure: str | None = None


def revision_id(inputs: Inputs, rendered: Rendered) -> str:
    """Return the hash of all that an instance would start with.

    Left out: the number of instances, and after which units it starts. To change those restarts nothing.
    """
    facts: dict[str, Any] = {
        "unit": rendered.unit,
        "gunicorn": rendered.gunicorn,
        "environment": inputs.environment(),
        "credentials": dict(inputs.credentials),
        "port": inputs.view["port"],
    }
    if rendered.supervised is not None:
        facts["supervised"] = rendered.supervised.texts()
    if inputs.is_timer:
        facts |= {"timer": rendered.timer, "plan": inputs.timer_plan()}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:ID_LENGTH]


def units(inputs: Inputs, revision: str) -> list[str]:
    """Return the names of the units in which a service's instances run."""
    if inputs.is_timer:
        return []
    if inputs.supervised:
        return [f"{inputs.name}@supervisord-{revision}.service"]
    return [f"{inputs.name}@{number}.service" for number in range(1, inputs.view["instances"] + 1)]


def after(view: Mapping[str, Any], known: Mapping[str, list[str]]) -> str:
    """Return the units of the services that this one depends on, as After= takes them."""
    return "".join(f" {name}" for needed in view["depends_on"] for name in known.get(needed, []))


def expected(inputs: Inputs, revision: str) -> dict[str, Any]:
    """Return what `tandem.platform.instances` needs to know; also what the host keeps as manifest."""
    view, database = inputs.view, inputs.view["database"]
    return {
        "name": inputs.name,
        "revision": revision,
        "release": inputs.release["id"],
        "release_of": inputs.release["service"],
        "timer": inputs.is_timer,
        # A timer is no instance of a template.
        "instances": 0 if inputs.is_timer else view["instances"],
        "autoscale": dict(view["autoscale"]) if view.get("autoscale") else None,
        "port": view["port"],
        "health": view["health"] if view["port"] else None,
        "restart": view["restart"],
        "manager": view["manager"],
        "user": view["user"],
        "database": database["name"] if database and not view.get("release_of") else None,
        "migrates": migrates(view),
        "volumes": list(view["volumes"]),
    }


def entries(inputs: Inputs, rendered: Rendered, revision: str, after_units: str) -> dict[str, list[Any]]:
    """Return the service's directories and files for `tandem.platform.files`."""
    base, own = inputs.folder, f"{inputs.folder}/revisions/{revision}"
    hidden = bool(inputs.env_files)
    unit = rendered.unit.replace(REVISION_MARK, revision).replace(AFTER_MARK, after_units)
    unit = unit.replace(LIMITS_MARK, supervised.limits(inputs.view["limits"], inputs.view["instances"]))
    manifest = json.dumps(expected(inputs, revision), indent=1, sort_keys=True) + "\n"
    files: list[dict[str, Any]] = [
        {"path": f"{own}/unit", "content": unit},
        {
            "path": f"{own}/environment",
            "content": environment_text(inputs.environment()),
            "mode": "0600",
            "secret": hidden,
        },
        {"path": f"/etc/systemd/journald@{inputs.name}.conf", "content": rendered.logging},
        {"path": f"{base}/manifest.json", "content": manifest},
        *_credentials(own, inputs.credentials),
        *_instance_files(own, inputs),
    ]
    if rendered.gunicorn is not None:
        files.append({"path": f"{own}/gunicorn.conf.py", "content": rendered.gunicorn})
    if rendered.supervised is not None:
        files += [
            {"path": f"{own}/{name}", "content": text.replace(REVISION_MARK, revision)}
            for name, text in rendered.supervised.files(inputs.view["instances"], NUMBER_MARK).items()
        ]
    if rendered.timer is not None:
        plan = json.dumps(inputs.timer_plan(), indent=1, sort_keys=True) + "\n"
        files.append({"path": f"{own}/timer", "content": rendered.timer})
        files.append({"path": f"{own}/timer.json", "content": plan})
    return {"directories": _directories(base, own), "files": files, "absent": []}


def _directories(base: str, own: str) -> list[dict[str, Any]]:
    return [
        {"path": base},
        {"path": f"{base}/revisions"},
        {"path": own},
        {"path": f"{own}/credentials", "mode": "0700"},
    ]


def _credentials(folder: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"path": f"{folder}/credentials/{name}", "content": value, "mode": "0600", "secret": True}
        for name, value in sorted(values.items())
    ]


def _instance_files(own: str, inputs: Inputs) -> list[dict[str, Any]]:
    port = inputs.view["port"]
    if inputs.is_timer:
        return []
    return [
        {
            "path": f"{own}/instance-{number}",
            "content": environment_text({"PORT": str(port + number - 1)} if port else {}),
        }
        for number in range(1, inputs.view["instances"] + 1)
    ]


def migration_entries(
    inputs: Inputs, rendered: Rendered, owner_password: str, here: bool
) -> dict[str, list[Any]]:
    """Return the entries of a service's migration; `here`: whether this host is the one that migrates.

    The owner's password is only on hosts that migrate.
    """
    base, unit = f"{inputs.folder}/migration", f"/etc/systemd/system/{inputs.name}-migrate.service"
    if not here:
        return {"directories": [], "files": [], "absent": [base, unit]}
    database = inputs.view["database"]
    plan: dict[str, Any] = {"service": inputs.name, "release": inputs.release["id"], "patience_seconds": 60}
    for key in ("migrate", "init_command"):
        words = database[key]
        plan[key] = program(list(words), inputs.release, f"database.{key}") if words else None
    environment = inputs.environment() | {"DATABASE_DSN": database["owner_dsn"]}
    return {
        "directories": [{"path": base}, {"path": f"{base}/credentials", "mode": "0700"}],
        "files": [
            {"path": unit, "content": rendered.migration},
            {"path": f"{base}/plan.json", "content": json.dumps(plan, indent=1, sort_keys=True) + "\n"},
            {
                "path": f"{base}/environment",
                "content": environment_text(environment),
                "mode": "0600",
                "secret": bool(inputs.env_files),
            },
            *_credentials(base, {**inputs.credentials, "database_password": owner_password}),
        ],
        "absent": [],
    }


def migrates(view: Mapping[str, Any]) -> bool:
    """Tell whether a service has migrations or an init command."""
    database = view["database"]
    return bool(database and (database["migrate"] or database["init_command"]))
