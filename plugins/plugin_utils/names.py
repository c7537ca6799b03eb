# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Shapes of names and sizes that the inventory may use."""

from __future__ import annotations

import re

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, lower case
DNS_NAME = re.compile(rf"{DNS_LABEL.pattern}(\.{DNS_LABEL.pattern})+")
SERVICE_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]*")
SECRET_NAME = re.compile(r"[a-z][a-z0-9_]*")
EVENT_NAME = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9_]*)+")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ROUTE = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
WSGI = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*(\(\))?")
REQUIREMENT = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,-]+\])?==[A-Za-z0-9.!+_-]+"
)

SERVICE_NAME_LENGTH = 20  # "svc-" + name is a Unix user, and names of units and sockets grow from it
RELAY_SUFFIX = "-relay"  # of the process that sends a service's events
# "svc-" + name must stay below the 32 characters of a Unix user; so every relay's name is allowed.
PART_NAME_LENGTH = SERVICE_NAME_LENGTH + len(RELAY_SUFFIX)
EVENT_NAME_LENGTH = 100  # names of queues have the service's and a site's beside it, in 255 bytes
DATABASE_NAME_LENGTH = 57  # Postgres cuts identifiers at 63 bytes; "_owner" is appended

# A service's unit is a template of its name, NAME@.service. A service of one of these names would replace a
# unit of Debian's or of the platform.
RESERVED_SERVICE_NAMES = frozenset(
    {
        *("autovt", "container-getty", "dbus", "getty", "modprobe", "network", "networking", "quotaon"),
        *("serial-getty", "ssh", "sshd", "user", "user-runtime-dir"),
        *("apt-daily", "apt-daily-upgrade", "cron", "dpkg-db-backup", "fstrim", "logrotate", "man-db"),
        *("epmd", "rabbitmq-server", "redis-server", "valkey-server"),
        *(
            "alertmanager",
            "garage",
            "grafana",
            "haproxy",
            "loki",
            "nftables",
            "nginx",
            "postgres",
            "postgresql",
        ),
        *("prometheus", "promtail", "rabbitmq", "redis", "tandem", "valkey"),
    }
)

# Names that Postgres, pg_auto_failover and the platform's own roles use.
RESERVED_DATABASE_NAMES = frozenset(
    {
        *("all", "postgres", "public", "replication", "sameuser", "samerole", "template0", "template1"),
        *("autoctl_node", "pgautofailover", "pgautofailover_monitor", "pgautofailover_replicator"),
    }
)
RESERVED_DATABASE_PREFIXES = ("pg_", "tandem_")


def is_reserved_database(text: str) -> bool:
    """Tell whether a database name belongs to Postgres or the platform."""
    return text in RESERVED_DATABASE_NAMES or text.startswith(RESERVED_DATABASE_PREFIXES)


def is_dns_label(text: str) -> bool:
    """Tell whether the text is one lower-case DNS label of at most 63 characters."""
    return DNS_LABEL.fullmatch(text) is not None


def is_dns_name(text: str) -> bool:
    """Tell whether the text is a lower-case DNS name of two labels or more."""
    return len(text) <= 253 and DNS_NAME.fullmatch(text) is not None
