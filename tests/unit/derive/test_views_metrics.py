"""Who is scraped by whom, what is probed, and with which certificates."""

import re
from pathlib import Path

import pytest


@pytest.fixture
def observed(case):
    """The sound inventory with an observing host in each datacenter."""
    case.add_host("msk-obs1", "msk", "10.1.0.41", "obs")
    case.add_host("spb-obs1", "spb", "10.2.0.41", "obs")
    return case


def metrics(case):
    return case.platform_views["metrics"]


def targets(case, job, host=None):
    return [item for item in metrics(case)["targets"] if item["job"] == job and host in (None, item["host"])]


def addresses(case, job):
    return [target["address"] for target in targets(case, job)]


def certificates(case, host):
    return {item["name"]: item for item in case.platform_views["views"][host]["certificates"]}


NOTHING = {"scrapers": [], "exporters": {}, "targets": [], "alertmanagers": [], "probes": []}
OURS = {"metrics", "platform-exporter", "promtail", "alertmanager", "loki", "grafana"}


def test_without_observers_there_is_nothing(case):
    found = metrics(case)
    assert {key: found[key] for key in NOTHING} == NOTHING
    assert case.platform_views["valkey"]["exporter"] == ""
    assert all(not OURS & set(certificates(case, host)) for host in case.hosts)


def test_nothing_is_derived_when_it_is_turned_off(observed):
    observed.platform["platform_observability"] = False
    found = observed.platform_views
    assert {key: found["metrics"][key] for key in NOTHING} == NOTHING
    assert found["hosts"]["msk-obs1"]["classes"] == ["obs"]
    assert certificates(observed, "msk-obs1") == {}


def test_every_host_has_a_node_and_a_platform_exporter(observed):
    assert addresses(observed, "node") == [f"{host}:9100" for host in observed.hosts]
    assert addresses(observed, "platform") == [f"{host}:9170" for host in observed.hosts]


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("postgres", ["msk-data1:9187", "spb-data1:9187"]),
        ("valkey", ["msk-data1:9121", "spb-data1:9121"]),
        ("nginx", ["msk-edge1:9113", "spb-edge1:9113"]),
        ("haproxy", ["msk-edge1:8405", "spb-edge1:8405", "msk-app1:8405", "spb-app1:8405"]),
        ("prometheus", ["msk-obs1:9090", "spb-obs1:9090"]),
        ("alertmanager", ["msk-obs1:9093", "spb-obs1:9093"]),
        ("loki", ["msk-obs1:3100", "spb-obs1:3100"]),
    ],
)
def test_components(observed, job, expected):
    assert addresses(observed, job) == expected


def test_a_target_tells_where_it_is(observed):
    assert targets(observed, "postgres", "spb-data1") == [
        {
            "job": "postgres",
            "scrape": "postgres",
            "host": "spb-data1",
            "site": "spb",
            "address": "spb-data1:9187",
            "path": "/metrics",
            "scheme": "https",
            "params": {},
            "labels": {"instance": "spb-data1:9187"},
        }
    ]


def test_valkey_of_several_data_hosts_in_a_site_is_on_the_first():
    from ansible_collections.tandem.platform.plugins.plugin_utils.inventory import Host, Inventory
    from ansible_collections.tandem.platform.plugins.plugin_utils.views_metrics import exporters_of

    hosts = [Host(name, "msk", "10.0.0.1", None, None, name, ("data",)) for name in ("a", "b")]
    inventory = Inventory({host.name: host for host in hosts}, {})
    assert [exporters_of(host, inventory) for host in hosts] == [
        ["node", "postgres", "valkey"],
        ["node", "postgres"],
    ]


def test_exporters_by_host(observed):
    assert metrics(observed)["exporters"] == {
        "msk-edge1": ["node", "nginx"],
        "spb-edge1": ["node", "nginx"],
        "msk-app1": ["node"],
        "spb-app1": ["node"],
        "msk-data1": ["node", "postgres", "valkey"],
        "spb-data1": ["node", "postgres", "valkey"],
        "wit1": ["node"],
        "msk-obs1": ["node", "blackbox"],
        "spb-obs1": ["node", "blackbox"],
    }


def test_every_node_of_rabbitmq_tells_of_itself_and_of_its_queues(observed):
    found = targets(observed, "rabbitmq", "wit1")
    assert [(item["scrape"], item["path"], item["labels"]["instance"]) for item in found] == [
        ("rabbitmq", "/metrics", "wit1:15692"),
        ("rabbitmq-queues", "/metrics/detailed", "wit1:15692/metrics/detailed"),
    ]
    assert found[1]["params"] == {"family": ["queue_coarse_metrics", "queue_consumer_count"]}


def test_haproxy_is_asked_for_what_is_looked_at(observed):
    (params,) = {str(item["params"]) for item in targets(observed, "haproxy")}
    assert "haproxy_backend_active_servers," in params


def test_haproxy_is_asked_for_all_that_rules_and_panels_need(root):
    from ansible_collections.tandem.platform.plugins.plugin_utils.views_metrics import HAPROXY_METRICS

    needing = [
        *(root / "roles" / "prometheus" / "files" / "rules").glob("*.yml"),
        *(root / "tests" / "support").glob("metric_names.yml"),
    ]
    needed = set(
        re.findall(
            r"\bhaproxy_(?:process|frontend|backend|server)_\w+", "".join(map(Path.read_text, needing))
        )
    )
    assert needed - set(HAPROXY_METRICS) == set()


def test_one_agent_of_logs_for_each_loki(observed):
    assert [item["address"] for item in targets(observed, "promtail", "wit1")] == ["wit1:9080", "wit1:9081"]


def test_every_instance_of_a_service_is_scraped_through_its_hosts_haproxy(observed):
    found = targets(observed, "service", "msk-app1")
    assert {(item["address"], item["scheme"]) for item in found} == {("msk-app1:8405", "https")}
    assert [(item["path"], item["labels"]) for item in found] == [
        (
            f"/service/{name}/{number}",
            {
                "instance": f"msk-app1/{name}@{number}",
                "service": name,
                "replica": str(number),
                "part_of": name,
            },
        )
        for name, number in (("users", 1), ("users", 2), ("order-mail", 1), ("digest", 1))
    ]


def test_parts_say_whose_they_are_and_timers_are_not_scraped(shop):
    shop.add_host("msk-obs1", "msk", "10.1.0.41", "obs")
    owners = {
        item["labels"]["service"]: item["labels"]["part_of"] for item in targets(shop, "service", "msk-app1")
    }
    assert owners == {
        **{
            name: name
            for name in ("users", "products", "orders", "order-processing", "notifications", "audit")
        },
        "orders-events": "orders",
        "audit-events": "audit",
        "users-relay": "users",
        "orders-relay": "orders",
        "order-processing-relay": "order-processing",
    }


def test_instances_beyond_the_least_are_on_demand(observed):
    observed.services["users"]["autoscale"] = {
        "min": 1,
        "max": 3,
        "metric": "request_rate",
        "per_instance": 50,
    }
    del observed.services["users"]["instances"]
    found = [
        item["labels"].get("on_demand")
        for item in targets(observed, "service", "msk-app1")
        if item["labels"]["service"] == "users"
    ]
    assert found == [None, "true", "true"]


def test_every_series_has_one_target(observed):
    seen = [(item["job"], item["labels"]["instance"]) for item in metrics(observed)["targets"]]
    assert len(seen) == len(set(seen))
    assert {item["scrape"] for item in metrics(observed)["targets"]} < jobs()


def jobs():
    from ansible_collections.tandem.platform.plugins.plugin_utils.views_metrics import JOBS

    return JOBS


# Probes


def test_public_pages_are_asked_for_through_every_edge(observed):
    observed.services["users"] |= {"routes": ["/users/", "/faces/"], "cache": ["/faces/", "/users/open/"]}
    assert metrics(observed)["probes"] == [
        {
            "job": "blackbox",
            "probe": "edge",
            "host": host,
            "site": host[:3],
            "url": f"https://{address}/faces/",
            "name": "shop.example.org",
            "labels": {"instance": f"{host}/faces/", "probe": "edge"},
        }
        for host, address in (("msk-edge1", "10.1.0.11"), ("spb-edge1", "10.2.0.11"))
    ]


def test_without_public_pages_the_edge_itself_is_asked(observed):
    assert {probe["labels"]["instance"] for probe in metrics(observed)["probes"]} == {
        "msk-edge1/.well-known/tandem/edge",
        "spb-edge1/.well-known/tandem/edge",
    }


def test_the_inventory_may_say_which_pages(observed):
    observed.platform["platform_prometheus"] = {"probes": ["/", "/users/open/"]}
    assert [probe["url"] for probe in metrics(observed)["probes"]][:2] == [
        "https://10.1.0.11/",
        "https://10.1.0.11/users/open/",
    ]


# Certificates


def test_certificates_of_a_host_that_is_scraped(observed):
    found = certificates(observed, "wit1")
    assert set(found) == {"postgres", "rabbitmq", "metrics", "platform-exporter", "promtail"}
    assert {name: item["group"] for name, item in found.items() if name in OURS} == {
        "metrics": "prometheus",
        "platform-exporter": "platform-exporter",
        "promtail": "promtail",
    }
    assert {item["common_name"] for item in found.values()} == {"wit1"}
    assert found["metrics"]["subject_alt_names"] == ["DNS:wit1.example.org", "DNS:wit1", "IP:10.3.0.11"]
    assert found["metrics"]["usages"] == ["server", "client"]


def test_certificates_of_an_observer(observed):
    assert set(certificates(observed, "spb-obs1")) == OURS


# Settings


def test_what_the_inventory_says_of_prometheus(observed):
    observed.files["/project/alerts/mine.yml"] = "groups: []\n"
    said = {
        "retention_time": "90d",
        "retention_size": "50GB",
        "scrape_configs": [{"job_name": "mine", "static_configs": [{"targets": ["mine:1"]}]}],
        "remote_write": [{"url": "https://long.example.org/write"}],
        "rule_files": ["alerts/mine.yml"],
        "runbooks_url": "https://wiki.example.org/runbooks",
    }
    observed.platform["platform_prometheus"] = said
    assert observed.platform_views["prometheus"] == said | {"rule_files": ["/project/alerts/mine.yml"]}


def test_what_it_need_not_say(observed):
    assert observed.platform_views["prometheus"] == {
        "retention_time": "30d",
        "retention_size": "10GB",
        "scrape_configs": [],
        "remote_write": [],
        "rule_files": [],
        "runbooks_url": "docs/runbooks",
    }
