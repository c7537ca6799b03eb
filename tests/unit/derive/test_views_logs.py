"""Where logs go, and what is read on which host."""

import pytest

OBSERVERS = {
    "msk-obs1": {"ansible_host": "10.1.0.41", "platform_site": "msk"},
    "spb-obs1": {"ansible_host": "10.2.0.41", "platform_site": "spb"},
}


@pytest.fixture
def logs(case):
    """The view; a case may be changed before."""

    def derived():
        return case.platform_views["logs"]

    return derived


def observe(case, *names):
    for name in names:
        case.hosts[name] = dict(OBSERVERS[name])
        for group in ("all", "platform", "obs"):
            case.groups[group].append(name)


def test_without_a_loki_nothing_is_read(logs):
    assert logs() == {"lokis": [], "files": {}}


def test_one_loki_per_site(case, logs):
    observe(case, "msk-obs1", "spb-obs1")
    assert logs()["lokis"] == [
        {"site": "msk", "host": "msk-obs1", "url": "https://msk-obs1:3100"},
        {"site": "spb", "host": "spb-obs1", "url": "https://spb-obs1:3100"},
    ]


def test_of_several_hosts_in_a_site_the_first():
    from ansible_collections.tandem.platform.plugins.plugin_utils.inventory import Host, Inventory
    from ansible_collections.tandem.platform.plugins.plugin_utils.views_logs import loki_hosts

    names = (("a", "msk", "app"), ("b", "msk", "obs"), ("c", "spb", "obs"), ("d", "msk", "obs"))
    hosts = [
        Host(name, site, "10.0.0.1", None, None, f"{name}.example.org", (group,))
        for name, site, group in names
    ]
    assert [host.name for host in loki_hosts(Inventory({host.name: host for host in hosts}, {}))] == [
        "b",
        "c",
    ]


def test_every_host_is_read(case, logs):
    observe(case, "msk-obs1")
    assert set(logs()["files"]) == set(case.hosts)


def test_services_have_journals_where_they_run(case, logs):
    observe(case, "msk-obs1")
    files = logs()["files"]
    assert files["msk-app1"] == {"journals": ["digest", "order-mail", "users"], "paths": []}
    for host in ("msk-data1", "wit1", "msk-obs1"):
        assert files[host] == {"journals": [], "paths": []}


def test_edges_have_files(case, logs):
    observe(case, "msk-obs1")
    assert logs()["files"]["msk-edge1"] == {
        "journals": [],
        "paths": [
            {"path": "/var/log/nginx/access.log", "service": "nginx"},
            {"path": "/var/log/nginx/error.log", "service": "nginx"},
        ],
    }
