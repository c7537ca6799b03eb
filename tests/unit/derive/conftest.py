"""A sound inventory to spoil, as plain data, and the means to derive from it."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# The collection's own import path, as Ansible sees it.
sys.path.insert(0, str(ROOT / "collections"))

PROJECT = "/project"

PLATFORM = {
    "platform_name": "trial",
    "platform_domain": "example.org",
    "platform_public_names": ["shop.example.org"],
    "platform_sites": {
        "msk": {"networks": ["10.1.0.0/24", "fd01::/64"]},
        "spb": {"networks": ["10.2.0.0/24", "fd02::/64"]},
        "wit": {"networks": ["10.3.0.0/24"], "witness": True},
    },
    "platform_timeouts": "fast",
    "platform_secrets_dir": "/inventory/secrets",
    "platform_project_dir": PROJECT,
    "platform_postgres": {"version": 17, "failover_version": "2.2", "max_connections": 100},
}

HOSTS = {
    "msk-edge1": {"ansible_host": "10.1.0.11", "platform_address6": "fd01::11", "platform_site": "msk"},
    "spb-edge1": {"ansible_host": "10.2.0.11", "platform_address6": "fd02::11", "platform_site": "spb"},
    "msk-app1": {"ansible_host": "10.1.0.21", "platform_site": "msk"},
    "spb-app1": {"ansible_host": "10.2.0.21", "platform_site": "spb"},
    "msk-data1": {"ansible_host": "10.1.0.31", "platform_site": "msk"},
    "spb-data1": {"ansible_host": "10.2.0.31", "platform_site": "spb"},
    "wit1": {"ansible_host": "10.3.0.11", "platform_site": "wit"},
}

GROUPS = {
    "all": [*HOSTS, "world"],
    "platform": list(HOSTS),
    "edge": ["msk-edge1", "spb-edge1"],
    "app": ["msk-app1", "spb-app1"],
    "data": ["msk-data1", "spb-data1"],
    "obs": [],
    "witness": ["wit1"],
    "outside": ["world"],
}

SERVICES = {
    "x-shared": {"anything": ["goes", "here"]},
    "users": {
        "app": "apps/users",
        "hosts": "app",
        "instances": 2,
        "port": 5000,
        "routes": ["/users/"],
        "database": {"pool": 5, "migrate": ["users", "migrate"], "init": ["sql/users.sql"]},
        "secrets": ["session_key", {"name": "jwt_key", "kind": "ec-p256"}],
        "depends_on": ["postgres"],
    },
    "order-mail": {
        "app": "apps/order_mail",
        "hosts": "app",
        "port": 5020,
        "routes": ["/mails", "/mails/sent/"],
        "calls": ["users"],
        "environment": {"LOG_LEVEL": "info", "RETRIES": 3, "DEBUG": False},
        "env_file": ["common.env"],
        "secrets": [{"name": "jwt_public", "public_of": "users/jwt_key"}, "session_key"],
        "volumes": ["/srv/branding:/branding:ro"],
        "depends_on": ["users"],
    },
    "digest": {"app": "digest==1.2", "hosts": "app", "command": ["digest", "run"], "database": {}},
}

# The shop with events: who publishes, who consumes, what is part of what, and a timer.
SHOP = {
    "users": {
        "app": "users==1",
        "hosts": "app",
        "instances": 2,
        "port": 5000,
        "routes": ["/users/"],
        "database": {"pool": 5, "migrate": ["users", "migrate"]},
        "secrets": [{"name": "jwt_key", "kind": "ec-p256"}],
        "publishes": ["user.registered", "user.logged_in", "user.login_failed"],
        "depends_on": ["postgres"],
    },
    "products": {
        "app": "products==1",
        "hosts": "app",
        "port": 5010,
        "routes": ["/products/"],
        "database": {"migrate": ["products", "migrate"]},
    },
    "orders-events": {
        "part_of": "orders",
        "command": ["orders", "consume"],
        "database": {"pool": 2},
        "environment": {"LOG_LEVEL": "debug"},
        "consumes": ["order.paid", "order.packed", "order.shipped", "order.rejected"],
    },
    "orders": {
        "app": "orders==1",
        "hosts": "app",
        "instances": 2,
        "port": 5020,
        "routes": ["/orders", "/cart"],
        "limits": {"memory": "256M"},
        "calls": ["products"],
        "database": {"pool": 5, "migrate": ["orders", "migrate"], "init_command": ["orders", "init"]},
        "environment": {"CURRENCY": "RUB", "LOG_LEVEL": "info"},
        "secrets": [{"name": "jwt_public", "public_of": "users/jwt_key"}, "cart_key"],
        "volumes": ["/srv/orders:/data"],
        "publishes": ["order.created", "order.cancelled"],
        "depends_on": ["postgres", "products"],
    },
    "order-processing": {
        "app": "order-processing==1",
        "hosts": "app",
        "command": ["processing", "consume"],
        "calls": ["products"],
        "database": {},
        "publishes": ["order.paid", "order.packed", "order.shipped", "order.rejected"],
        "consumes": {"order.created": {"retries": 10, "max_length": 5000}, "order.cancelled": None},
    },
    "notifications": {
        "app": "notifications==1",
        "hosts": "app",
        "command": ["notifications", "consume"],
        "database": {"migrate": ["notifications", "migrate"]},
        "consumes": ["order.paid", "order.shipped", "order.rejected", "user.registered"],
    },
    "digest": {
        "part_of": "notifications",
        "command": ["notifications", "digest"],
        "schedule": "*-*-* 09:00:00",
        "missed": "run",
        "timeout": "5min",
    },
    "audit": {
        "app": "audit==1",
        "hosts": "app",
        "port": 5040,
        "routes": ["/audit/"],
        "database": {"migrate": ["audit", "migrate"]},
    },
    "audit-events": {
        "part_of": "audit",
        "command": ["audit", "consume"],
        "consumes": [
            *("user.registered", "user.logged_in", "user.login_failed"),
            *("order.created", "order.cancelled", "order.paid", "order.packed", "order.shipped"),
            "order.rejected",
        ],
    },
}

FILES = {
    f"{PROJECT}/apps/users": None,
    f"{PROJECT}/apps/users/pyproject.toml": "",
    f"{PROJECT}/apps/users/requirements.lock": "flask==3.1\ngunicorn==23.0 \\\n    --hash=sha256:0\n",
    f"{PROJECT}/apps/order_mail": None,
    f"{PROJECT}/apps/order_mail/pyproject.toml": "",
    f"{PROJECT}/apps/order_mail/requirements.lock": "flask==3.1\ngunicorn==23.0 \\\n    --hash=sha256:0\n",
    f"{PROJECT}/sql/users.sql": "select 1;",
    f"{PROJECT}/common.env": "# shared\nGREETING=hello world\n",
}


class Table:
    """Files that a test says are there: path to text, None for a folder."""

    def __init__(self, table):
        self.table = table

    def exists(self, path):
        return path in self.table

    def text(self, path):
        return self.table.get(path)

    def names(self, folder):
        return sorted(
            path.removeprefix(folder + "/") for path in self.table if path.rpartition("/")[0] == folder
        )


class Case:
    """A sound inventory; a test changes what it wants and derives."""

    def __init__(self):
        self.platform = copy.deepcopy(PLATFORM)
        self.services = copy.deepcopy(SERVICES)
        self.override = {}
        self.groups = copy.deepcopy(GROUPS)
        self.hosts = copy.deepcopy(HOSTS)
        self.files = dict(FILES)

    def add_host(self, name, site, address, *groups):
        self.hosts[name] = {"ansible_host": address, "platform_site": site}
        for group in ("all", "platform", *groups):
            self.groups.setdefault(group, []).append(name)

    def derive(self):
        from ansible_collections.tandem.platform.plugins.plugin_utils.derive import Inputs, derive

        inputs = Inputs(self.platform, self.services, self.override, self.groups, self.hosts)
        return derive(inputs, Table(self.files))

    @property
    def platform_views(self):
        """What is derived; the inventory must be sound."""
        derivation = self.derive()
        assert derivation.problems == []
        return derivation.platform

    @property
    def problems(self):
        return self.derive().problems


@pytest.fixture
def case():
    return Case()


@pytest.fixture
def shop():
    shop = Case()
    shop.services = copy.deepcopy(SHOP)
    shop.platform["platform_postgres"]["max_connections"] = 200
    return shop


@pytest.fixture
def root():
    return ROOT
