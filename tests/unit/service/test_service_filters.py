"""The filters of the playbooks."""

from ansible_collections.tandem.platform.plugins.filter.service_duties import service_duties
from ansible_collections.tandem.platform.plugins.filter.service_table import service_table

VIEWS = {
    "app1": {"services": [{"name": "users"}, {"name": "orders"}]},
    "app2": {"services": [{"name": "users"}]},
    "edge1": {"services": []},
}


def test_first_host_of_the_run_migrates():
    assert service_duties(VIEWS, "app1", ["app1", "app2"])["migrate"] == ["users", "orders"]
    assert service_duties(VIEWS, "app2", ["app1", "app2"])["migrate"] == []


def test_next_host_migrates_when_the_first_is_left_out():
    assert service_duties(VIEWS, "app2", ["app2", "edge1", "unknown"])["migrate"] == ["users"]


def test_services_that_no_other_host_runs():
    assert service_duties(VIEWS, "app1", ["app1", "app2"])["alone"] == ["orders"]
    assert service_duties(VIEWS, "app2", ["app2"])["alone"] == ["users"]


def test_table():
    row = {"service": "users", "instance": 1, "state": "active", "revision": "abc", "release": "def"}
    lines = service_table({"app1": [{**row, "since": "now", "memory": "5 MiB", "note": ""}], "app2": []})
    assert lines[0].split() == ["HOST", "INSTANCE", "STATE", "REVISION", "RELEASE", "SINCE", "MEMORY", "NOTE"]
    assert lines[1] == "app1  users@1   active  abc       def      now    5 MiB"


def test_the_duty_does_not_move_with_the_order_of_the_run():
    assert service_duties(VIEWS, "app1", ["app2", "app1"])["migrate"] == ["users", "orders"]
