"""Entries whose number of instances follows a metric: what is derived, and what is refused."""

import pytest

RATE = {"min": 1, "max": 4, "metric": "request_rate", "per_instance": 50}
LENGTH = {"max": 3, "metric": "queue_length", "per_instance": 200}
BAD = {
    "unknown_metric": (
        "orders",
        {"autoscale": RATE | {"metric": "memory"}},
        "autoscale.metric",
        "is not known",
        "write one of 'queue_length' or 'request_rate'",
    ),
    "min_above_max": (
        "orders",
        {"autoscale": RATE | {"min": 5}},
        "autoscale.min",
        "5 is more than max, 4",
        "at most max",
    ),
    "no_min": ("orders", {"autoscale": RATE | {"min": 0}}, "autoscale.min", "0 is refused", "greater"),
    "too_many": ("orders", {"autoscale": RATE | {"max": 65}}, "autoscale.max", "65 is refused", "less"),
    "no_max": (
        "orders",
        {"autoscale": {"metric": "request_rate", "per_instance": 50}},
        "autoscale.max",
        "is missing",
        "max: 4",
    ),
    "no_metric": (
        "orders",
        {"autoscale": {"max": 4, "per_instance": 50}},
        "autoscale.metric",
        "is missing",
        "add it",
    ),
    "nothing_per_instance": (
        "orders",
        {"autoscale": RATE | {"per_instance": 0}},
        "autoscale.per_instance",
        "0 is refused",
        "greater",
    ),
    "unknown_key": (
        "orders",
        {"autoscale": RATE | {"maximum": 4}},
        "autoscale.maximum",
        "unknown key",
        "write max",
    ),
    "queue_length_without_consumes": (
        "orders",
        {"autoscale": LENGTH},
        "autoscale.metric",
        "needs consumes",
        "request_rate",
    ),
    "queue_length_of_an_absolute_path": (
        "orders-events",
        {"autoscale": LENGTH, "command": ["/usr/bin/consume"]},
        "autoscale.metric",
        "console script",
        "queue-length",
    ),
    "request_rate_without_a_port": (
        "orders-events",
        {"autoscale": RATE},
        "autoscale.metric",
        "needs a port",
        "queue_length",
    ),
    "beside_instances": (
        "orders",
        {"autoscale": RATE, "instances": 2},
        "instances",
        "beside autoscale",
        "remove instances",
    ),
    "beside_schedule": (
        "digest",
        {"autoscale": RATE},
        "autoscale",
        "beside schedule",
        "remove autoscale or schedule",
    ),
    "under_supervisord": (
        "orders",
        {"autoscale": RATE, "manager": "supervisord"},
        "autoscale",
        "needs manager: systemd",
        "replace autoscale by instances",
    ),
}


def scaled(shop, name, keys):
    entry = {key: value for key, value in shop.services[name].items() if key != "instances"}
    shop.services[name] = entry | keys


@pytest.mark.parametrize("name", BAD)
def test_is_refused(shop, name):
    service, keys, where, what, cure = BAD[name]
    scaled(shop, service, keys)
    derivation = shop.derive()
    assert derivation.platform is None
    (problem,) = derivation.problems
    assert problem.where == f"services.{service}.{where}"
    assert what in problem.what
    assert cure in problem.cure


def views(shop, host="msk-app1"):
    return shop.platform_views["views"][host]


def service(shop, name):
    (found,) = [item for item in views(shop)["services"] if item["name"] == name]
    return found


def test_ports_and_places_at_the_door_are_kept_for_the_most(shop):
    scaled(shop, "orders", {"autoscale": RATE | {"min": 2}})
    found = service(shop, "orders")
    assert found["instances"] == 4
    assert found["autoscale"] == {
        "min": 2,
        "max": 4,
        "metric": "request_rate",
        "per_instance": 50,
        "measure": None,
    }
    (door,) = [item for item in views(shop)["haproxy"]["door"]["services"] if item["name"] == "orders"]
    assert (door["instances"], door["always"]) == (4, 2)


def test_ports_of_the_most_must_not_overlap(shop):
    port = shop.services["orders"]["port"]
    scaled(shop, "orders", {"autoscale": RATE | {"max": 64}})
    shop.services["users"]["port"] = port + 63
    assert any("overlaps" in problem.what for problem in shop.derive().problems)


def test_a_fixed_number_is_always_there(shop):
    found = service(shop, "orders")
    assert found["autoscale"] is None
    (door,) = [item for item in views(shop)["haproxy"]["door"]["services"] if item["name"] == "orders"]
    assert door["always"] == door["instances"] == found["instances"]


def test_a_consumer_is_measured_by_its_own_script(shop):
    scaled(shop, "orders-events", {"autoscale": LENGTH})
    found = service(shop, "orders-events")
    assert (found["instances"], found["autoscale"]["min"]) == (3, 1)
    assert found["autoscale"]["measure"] == ["orders", "queue-length"]


def test_pools_are_counted_for_the_most(shop):
    shop.platform.setdefault("platform_postgres", {})["max_connections"] = 400
    scaled(shop, "orders", {"autoscale": RATE | {"max": 64}, "port": 6000})
    (problem,) = shop.derive().problems
    assert problem.where == "platform_postgres.max_connections" and " x 64 x " in problem.what
