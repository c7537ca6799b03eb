"""A service as the role gets it, for tests of what it makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.tandem.platform.plugins.plugin_utils.revisions import Inputs

RELEASE = {"service": "users", "id": "abc123", "scripts": {"users": "users.cli:main", "gunicorn": "g:run"}}


def view(**changes: Any) -> dict[str, Any]:
    """Return the view of a service, as derivation makes it."""
    return {
        "name": "users",
        "user": "svc-users",
        "port": 5000,
        "instances": 2,
        "wsgi": "users.wsgi:app",
        "command": None,
        "threads": 8,
        "restart": "always",
        "manager": "systemd",
        "limits": {"memory": "256M", "cpu": None, "tasks": None},
        "logging": {"max_size": "32M", "max_file": 5},
        "environment": {"LOG_LEVEL": "info"},
        "secrets": [],
        "volumes": ["/srv/a:/a:ro", "/srv/b:/b:rw"],
        "health": "/health/ready",
        "depends_on": [],
        "database": None,
        **changes,
    }


def inputs(
    release: Mapping[str, Any] = RELEASE,
    credentials: Mapping[str, str] | None = None,
    env_files: Mapping[str, str] | None = None,
    **changes: Any,
) -> Inputs:
    """Return what a revision of the service is made of."""
    return Inputs(view(**changes), release, credentials or {}, env_files or {})
