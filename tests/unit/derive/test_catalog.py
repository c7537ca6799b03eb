"""The catalog's merge, its shorthands and its defaults."""

import copy

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.catalog import source_kind
from ansible_collections.tandem.platform.plugins.plugin_utils.merge import contains, merged


def test_merge_is_deep_and_null_removes():
    base = {"a": {"port": 1, "limits": {"memory": "1G", "cpu": "50%"}, "routes": ["/a/"]}, "b": {}}
    override = {
        "a": {"limits": {"cpu": None, "tasks": 9}, "routes": ["/x/"]},
        "b": None,
        "c": {"d": {"e": None}},
    }
    before = copy.deepcopy((base, override))
    assert merged(base, override) == {
        "a": {"port": 1, "limits": {"memory": "1G", "tasks": 9}, "routes": ["/x/"]},
        "c": {"d": {}},
    }
    assert (base, override) == before


def test_contains_follows_mappings_only():
    tree = {"a": {"b": [{"c": 1}]}}
    assert contains(tree, ("a", "b", 0, "c"))
    assert not contains(tree, ("a", "x"))


def test_override_changes_adds_and_removes_services(case):
    case.override = {
        "digest": None,
        "users": {"instances": 3, "database": {"pool": 2}, "routes": None},
        "clock": {"app": "clock==1", "hosts": "app", "command": ["clock"]},
    }
    services = case.platform_views["services"]
    assert list(services) == ["users", "order-mail", "clock"]
    assert (services["users"]["instances"], services["users"]["routes"]) == (3, [])
    assert services["users"]["database"] | {"init": None} == {
        "name": "users",
        "pool": 2,
        "migrate": ["users", "migrate"],
        "init": None,
        "init_command": None,
    }


def test_defaults_of_a_web_service(case):
    service = case.platform_views["services"]["order-mail"]
    assert service["wsgi"] == "order_mail.wsgi:app"
    assert (service["threads"], service["health"], service["ingress"]) == (8, "/health/ready", "nginx")
    assert (service["instances"], service["restart"], service["manager"]) == (1, "always", "systemd")
    assert service["limits"] == {"memory": None, "cpu": None, "tasks": None}
    assert service["logging"] == {"max_size": "32M", "max_file": 5}


def test_defaults_of_a_worker(case):
    service = case.platform_views["services"]["digest"]
    assert [service[key] for key in ("port", "wsgi", "threads", "health", "ingress")] == [None] * 5
    assert (service["database"]["name"], service["database"]["pool"]) == ("digest", 5)


def test_shorthands_have_one_shape(case):
    case.services["users"] |= {
        "restart": False,
        "limits": {"memory": "256m"},
        "volumes": ["/a:/b"],
        "env_file": "common.env",
    }
    service = case.platform_views["services"]["users"]
    assert service["restart"] == "no"
    assert service["limits"]["memory"] == "256M"
    assert service["volumes"] == ["/a:/b:rw"]
    assert service["env_file"] == ["common.env"]
    assert service["secrets"][0] == {"name": "session_key", "kind": None, "public_of": None}


def test_shared_anchors_are_no_services(case):
    assert "x-shared" not in case.platform_views["services"]


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        ("apps/users", "folder"),
        ("dist/users-1.0-py3-none-any.whl", "wheel"),
        ("users==1.0", "requirement"),
        ("users[web]==1.0.post1", "requirement"),
        ("users>=1.0", "folder"),  # no fixed version: then looked for in the project, and not found
    ],
)
def test_source_kinds(app, kind):
    assert source_kind(app) == kind
