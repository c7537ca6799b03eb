# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Names that are derived from a service's entry, each in one place."""

from __future__ import annotations

from .catalog import Service

PLATFORM_COMPONENTS = frozenset({"postgres", "rabbitmq"})  # what depends_on may name beside services

# What the platform itself tells every service; a service's own environment must not contradict it.
COMMON_NAMES = frozenset({"SERVICE_NAME", "HOST_NAME", "SITE", "PLATFORM"})
DATABASE_NAMES = frozenset({"DATABASE_DSN", "DATABASE_READ_DSN", "DATABASE_POOL"})
BROKER_NAMES = frozenset(
    {
        *("BROKER_CA", "BROKER_CONNECT_TIMEOUT_S", "BROKER_CONSUMES", "BROKER_HEARTBEAT_S", "BROKER_HOSTS"),
        *("BROKER_PUBLISHES", "BROKER_TCP_USER_TIMEOUT_MS", "BROKER_USER", "BROKER_VHOST"),
    }
)
VALKEY_NAMES = frozenset({"VALKEY_CA", "VALKEY_HOST", "VALKEY_PORT", "VALKEY_USER"})
# What the service's unit sets for the process, its interpreter and each instance.
PROCESS_NAMES = frozenset(
    {
        *(
            "CREDENTIALS_DIRECTORY",
            "INSTANCE",
            "LEASE_TOKEN",
            "METRICS_SOCKET",
            "NOTIFY_SOCKET",
            "PORT",
            "SCHEDULED_AT",
            "SPT_NOENV",
        ),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONNOUSERSITE"),
        *("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUNBUFFERED"),
    }
)
PROCESS_PREFIXES = ("TANDEM_",)


def url_name(service: str) -> str:
    """Return the variable with a called service's URL: ``order-processing`` gives ORDER_PROCESSING_URL."""
    return service.upper().replace("-", "_") + "_URL"


def owner_role(database: str) -> str:
    """Return the role that owns a database's objects and runs its migrations."""
    return f"{database}_owner"


def runtime_role(database: str) -> str:
    """Return the role with which the service works."""
    return database


def broker_user(service: str, generation: int) -> str:
    """Return the broker's user of a service and its parts; a new generation of passwords is a new user."""
    return f"{service}.{generation}"


def broker_secret(service: str, generation: int) -> str:
    """Return where the controller keeps the password of a broker's user."""
    return f"services/{service}/broker_password_{generation}"


def valkey_secret(service: str) -> str:
    """Return where the controller keeps the password of a service and its parts at Valkey."""
    return f"services/{service}/valkey_password"


def queue_name(service: str, event: str, site: str | None) -> str:
    """Return the queue of an event at a service, for one site when every site has one of its own."""
    return f"{service}:{event}" if site is None else f"{service}:{event}:{site}"


def derived_names(service: Service) -> set[str]:
    """Return every variable that the platform sets for a service."""
    found = set(COMMON_NAMES | PROCESS_NAMES)
    if service.database:
        found |= DATABASE_NAMES
    if service.has_events:
        found |= BROKER_NAMES
    if service.valkey:
        found |= VALKEY_NAMES
    return found | {url_name(called) for called in service.calls}


def is_derived(variable: str, service: Service) -> bool:
    """Tell whether the platform sets this variable for this service."""
    return variable in derived_names(service) or variable.startswith(PROCESS_PREFIXES)
