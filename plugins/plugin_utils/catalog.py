# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""One entry of the service catalog: its keys, their types and what each value may be (docs/catalog.md)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from . import names, schedules
from .autoscaling import MOST_INSTANCES, Autoscale
from .events import Consumes, Event
from .schema import Strict, Words, wrong

PYTHON = "3.13"  # Debian 13's; releases are built for it
DEFAULT_HEALTH = "/health/ready"
DEFAULT_THREADS = 8
HIGHEST_PORT, LOWEST_PORT = 65535, 1024
RESTART = re.compile(r"no|always|unless-stopped|on-failure(:[1-9]\d*)?")
# Folders in which a service finds the host's or the release's own files; a volume there would hide them.
RESERVED_TARGETS = (
    "/boot",
    "/dev",
    "/etc",
    "/opt/tandem",
    "/proc",
    "/run",
    "/sys",
    "/usr",
    "/bin",
    "/lib",
    "/sbin",
)


def _size(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[KMGkmg]", value):
        raise wrong(f"{value!r} is not a size", "write a number with K, M or G, as in 256M")
    return value.upper()


def _share(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d*%", value):
        raise wrong(f"{value!r} is not a share of one processor", "write a percentage, as in 50% or 200%")
    return value


def _restart(value: Any) -> Any:
    # YAML reads a bare `no` as false.
    if value is False:
        return "no"
    if isinstance(value, str) and not RESTART.fullmatch(value):
        raise wrong(
            f"{value!r} is not a restart policy",
            "write no, on-failure, on-failure:N, always or unless-stopped",
        )
    return value


def _route(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or not names.ROUTE.fullmatch(value) or ".." in parts or "." in parts:
        raise wrong(
            f"{value!r} is not a path", 'write "/users/" for all below it, or "/cart" for it and all below it'
        )
    if value.startswith("/.well-known/tandem") or f"{value}/".startswith("/static/"):
        raise wrong(f"{value!r} is the platform's own", "choose another path")
    return value


def _url_path(value: str) -> str:
    if not value.startswith("/") or not names.ROUTE.fullmatch(value):
        raise wrong(f"{value!r} is not a path", f'write a path without query, as in "{DEFAULT_HEALTH}"')
    return value


def _wsgi(value: str) -> str:
    if not names.WSGI.fullmatch(value):
        raise wrong(f"{value!r} is not a WSGI application", "write module:attribute, as in users.wsgi:app")
    return value


def _volume(value: str) -> str:
    source, _, rest = value.partition(":")
    target, _, mode = rest.partition(":")
    mode = mode or "rw"
    sound = all(path.startswith("/") and ".." not in path.split("/") for path in (source, target))
    if not sound or mode not in {"ro", "rw"} or re.search(r"[\s%\\\"']", value):
        raise wrong(
            f"{value!r} is not a volume", 'write "/host/path:/path:ro" or ":rw", absolute and without spaces'
        )
    if target == "/" or any(target == base or target.startswith(base + "/") for base in RESERVED_TARGETS):
        raise wrong(
            f"{value!r} hides {target}, which the host needs", "choose another target, as in /srv/name"
        )
    return f"{source}:{target}:{mode}"


def _command(value: list[str]) -> list[str]:
    if not value or not value[0]:
        raise wrong(
            "the command is empty", "write a list: a console script of the app (or absolute path), arguments"
        )
    if "/" in value[0] and not value[0].startswith("/"):
        raise wrong(f"{value[0]!r} is a relative path", "write a console script's name or an absolute path")
    return value


def _relative_or_absolute(value: str) -> str:
    if not value.strip():
        raise wrong("the path is empty", "write a path that starts in platform_project_dir")
    return value


def _variable(name: str) -> str:
    if not names.ENVIRONMENT_NAME.fullmatch(name):
        raise wrong(f"{name!r} is not a variable's name", "use letters, digits and _, not a digit first")
    return name


def _text(value: Any) -> Any:
    """Turn numbers and booleans into the text that a process sees; never repeat a value, it may be a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise wrong("is neither text, number nor boolean", "write one value; quote it where YAML needs it")
    if re.search(r"[\n\r\0]", value):
        raise wrong("has several lines", "hand it over as a secret or a volume")
    return value


Size = Annotated[str, AfterValidator(_size)]
Share = Annotated[str, AfterValidator(_share)]
Route = Annotated[str, AfterValidator(_route)]
Volume = Annotated[str, AfterValidator(_volume)]
Environment = dict[Annotated[str, AfterValidator(_variable)], Annotated[str, BeforeValidator(_text)]]
Command = Annotated[list[str], AfterValidator(_command)]
Seconds = Annotated[int, BeforeValidator(schedules.seconds)]
ProjectPath = Annotated[str, AfterValidator(_relative_or_absolute)]


class Limits(Strict):
    """What one instance may use; nothing is limited that is not named."""

    memory: Size | None = None
    cpu: Share | None = None
    tasks: Annotated[int, Field(ge=1)] | None = None


class Logging(Strict):
    """How much of a service's log a host keeps: ``max_file`` files of ``max_size``."""

    max_size: Size = "32M"
    max_file: Annotated[int, Field(ge=1)] = 5


class Database(Strict):
    """A service's own database, with an owner role (migrations) and a runtime role (the service)."""

    name: str | None = None
    pool: Annotated[int, Field(ge=1)] = 5
    migrate: Command | None = None
    init: Annotated[list[ProjectPath], Field(default_factory=list)]
    init_command: Command | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if not names.DATABASE_NAME.fullmatch(value) or len(value) > names.DATABASE_NAME_LENGTH:
            raise wrong(
                f"{value!r} is not a database name",
                f"use a-z, 0-9 and _, a letter first, at most {names.DATABASE_NAME_LENGTH} characters",
            )
        if names.is_reserved_database(value):
            raise wrong(f"{value!r} belongs to Postgres or the platform", "choose another name")
        return value


class Secret(Strict):
    """A secret that is generated once and handed over as a credential, or the public half of another one."""

    name: Annotated[str, Field(examples=["name: session_key"])]
    kind: Literal["random", "ec-p256"] | None = None
    public_of: str | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not names.SECRET_NAME.fullmatch(value):
            raise wrong(f"{value!r} is not a secret's name", "use a-z, 0-9 and _, a letter first")
        if value in {"broker_password", "database_password", "valkey_password"}:
            raise wrong(f"{value!r} is the platform's own credential", "choose another name")
        return value


def _schedule(value: str) -> str:
    if not schedules.CHARACTERS.fullmatch(value.strip()):
        raise wrong(f"{value!r} is not a schedule", 'write it as systemd does, as in "*-*-* 09:00:00"')
    return value.strip()


def _secret(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Service(Strict):
    """One service, or a part of one: what runs where, and what it needs."""

    app: Annotated[ProjectPath, Field(examples=["app: apps/users"])]
    hosts: Annotated[str, Field(examples=["hosts: app"])]
    manager: Literal["systemd", "supervisord"] = "systemd"
    restart: Annotated[str, BeforeValidator(_restart)] = "always"
    limits: Annotated[Limits, Field(default_factory=Limits)]
    logging: Annotated[Logging, Field(default_factory=Logging)]
    instances: Annotated[int, Field(ge=1, le=MOST_INSTANCES)] = 1
    autoscale: Autoscale | None = None
    port: Annotated[int, Field(ge=LOWEST_PORT, le=HIGHEST_PORT)] | None = None
    wsgi: Annotated[str, AfterValidator(_wsgi)] | None = None
    threads: Annotated[int, Field(ge=1, le=512)] | None = None
    command: Command | None = None
    part_of: str | None = None
    publishes: Annotated[list[Event], Field(default_factory=list)]
    consumes: Annotated[Consumes, Field(default_factory=dict)]
    valkey: bool = False
    schedule: Annotated[str, AfterValidator(_schedule)] | None = None
    run_on: Literal["one_host", "every_host"] | None = None
    missed: Literal["run", "skip"] | None = None
    timeout: Seconds | None = None
    routes: Annotated[list[Route], Field(default_factory=list)]
    ingress: Literal["nginx", "haproxy"] | None = None
    cache: Annotated[list[Route], Field(default_factory=list)]
    health: Annotated[str, AfterValidator(_url_path)] | None = None
    database: Database | None = None
    calls: Annotated[list[str], Field(default_factory=list)]
    environment: Annotated[Environment, Field(default_factory=dict)]
    env_file: Annotated[Words, Field(default_factory=list)]
    secrets: Annotated[list[Annotated[Secret, BeforeValidator(_secret)]], Field(default_factory=list)]
    volumes: Annotated[list[Volume], Field(default_factory=list)]
    depends_on: Annotated[list[str], Field(default_factory=list)]

    @property
    def ports(self) -> range:
        """Loopback ports of the instances on each host; empty for a worker."""
        return range(self.port, self.port + self.instances) if self.port is not None else range(0)

    @property
    def always(self) -> int:
        """Instances that always run on each host; above them as many as autoscale wants."""
        return self.autoscale.min if self.autoscale is not None else self.instances

    @property
    def serves_wsgi(self) -> bool:
        """Tell whether gunicorn runs it: it has a port and no command of its own."""
        return self.port is not None and self.command is None

    @property
    def takes_lease(self) -> bool:
        """Tell whether the hosts of this timer agree in its database whose turn it is."""
        return self.schedule is not None and self.run_on == "one_host" and self.database is not None

    @property
    def has_events(self) -> bool:
        """Tell whether it talks to the broker."""
        return bool(self.publishes or self.consumes)


def default_database(service: str) -> str:
    """Return the name of a service's database when its entry gives none."""
    return service.replace("-", "_")


def completed(name: str, service: Service) -> Service:
    """Return the entry with the defaults that depend on the service's name and on its other keys."""
    module = name.replace("-", "_")
    changes: dict[str, Any] = {}
    if service.autoscale is not None:
        # Ports, connections and places at the door are kept for as many as there can be.
        changes["instances"] = service.autoscale.max
    if service.serves_wsgi:
        changes["wsgi"] = service.wsgi or f"{module}.wsgi:app"
        changes["threads"] = service.threads or DEFAULT_THREADS
    if service.port is not None:
        changes["health"] = service.health or DEFAULT_HEALTH
    if service.routes:
        changes["ingress"] = service.ingress or "nginx"
    if service.schedule is not None:
        changes["run_on"] = service.run_on or "one_host"
        changes["missed"] = service.missed or "skip"
        changes["timeout"] = service.timeout or schedules.DEFAULT_TIMEOUT
        changes["restart"] = "no"  # the next run is the schedule's
    if service.database and service.database.name is None:
        changes["database"] = service.database.model_copy(update={"name": default_database(name)})
    return service.model_copy(update=changes)


def source_kind(app: str) -> str:
    """Return what an entry's ``app`` is: ``wheel``, ``requirement`` (name==version) or ``folder``."""
    if app.endswith(".whl"):
        return "wheel"
    return "requirement" if names.REQUIREMENT.fullmatch(app) else "folder"
