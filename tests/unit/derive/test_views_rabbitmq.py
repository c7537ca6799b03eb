"""RabbitMQ's objects, users and permissions from the shop's events, and what services are told of them."""

import json
import re

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.config_view import config_view

DELAYS = ["retry:1s", "retry:5s", "retry:30s", "retry:2m", "retry:10m"]
MAIN, DEAD = "order-processing:order.created", "order-processing:order.created:dead"


@pytest.fixture
def broker(shop):
    return shop.platform_views["rabbitmq"]


def service(shop, host, name):
    views = shop.platform_views["views"][host]["services"]
    return next(item for item in views if item["name"] == name)


def policy(broker, name):
    return next(queue["policy"] for queue in broker["queues"] if queue["name"] == name)


def user(broker, name):
    return next(item for item in broker["users"] if item["name"] == name)


def names(broker):
    """Every name that a permission could match."""
    return {item["name"] for kind in ("exchanges", "queues") for item in broker[kind]} | {"", "amq.default"}


def test_nodes(broker):
    assert broker["nodes"] == [
        {"host": host, "name": f"rabbit@{host}.example.org", "address": address, "site": site}
        for host, address, site in (
            ("msk-data1", "10.1.0.31", "msk"),
            ("spb-data1", "10.2.0.31", "spb"),
            ("wit1", "10.3.0.11", "wit"),
        )
    ]
    assert broker["vhost"] == "tandem"
    assert broker["timeouts"]["net_tick_time_s"] == 4


def test_every_event_is_an_exchange(broker):
    exchanges = {item["name"]: item["type"] for item in broker["exchanges"]}
    assert [name for name in exchanges if "." in name] == [
        *("user.registered", "user.logged_in", "user.login_failed"),
        *("order.created", "order.cancelled"),
        *("order.paid", "order.packed", "order.shipped", "order.rejected"),
    ]
    assert {exchanges.pop("dead")} == {"direct"}
    assert set(exchanges.values()) == {"fanout"}
    assert set(DELAYS) < set(exchanges)


def test_every_consumer_has_a_queue_of_its_service_and_one_for_its_dead_letters(broker):
    queues = [queue["name"] for queue in broker["queues"] if queue["name"] not in DELAYS]
    of_orders = [name for name in queues if name.startswith("orders:")]
    assert of_orders == [
        f"orders:order.{what}{end}"
        for what in ("paid", "packed", "shipped", "rejected")
        for end in ("", ":dead")
    ]
    assert len(queues) == 2 * (4 + 2 + 4 + 9)
    assert len(set(queues)) == len(queues)


def test_policies(broker):
    assert policy(broker, MAIN) == {
        "dead-letter-exchange": "dead",
        "dead-letter-routing-key": MAIN,
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
        "delivery-limit": 20,
        "max-length": 5000,
    }
    assert policy(broker, "orders:order.paid")["max-length"] == 100_000
    assert policy(broker, DEAD) == {
        "overflow": "reject-publish",
        "delivery-limit": 1_000_000_000,
        "max-length": 5000,
    }
    assert policy(broker, "retry:2m") == {
        "message-ttl": 120_000,
        "dead-letter-exchange": "",
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }
    assert [policy(broker, name)["message-ttl"] for name in DELAYS] == [1000, 5000, 30_000, 120_000, 600_000]


def test_bindings(broker):
    bindings = [(item["exchange"], item["queue"], item["routing_key"]) for item in broker["bindings"]]
    assert [item for item in bindings if item[1] in (MAIN, DEAD)] == [
        ("order.created", MAIN, ""),
        ("dead", DEAD, MAIN),
    ]
    assert [item for item in bindings if item[0] == "order.paid"] == [
        ("order.paid", "orders:order.paid", ""),
        ("order.paid", "notifications:order.paid", ""),
        ("order.paid", "audit:order.paid", ""),
    ]
    assert [item for item in bindings if item[1] in DELAYS] == [(name, name, "") for name in DELAYS]
    assert {item[1] for item in bindings} == {queue["name"] for queue in broker["queues"]}
    assert {item[0] for item in bindings} == {exchange["name"] for exchange in broker["exchanges"]}


def test_dead_letters_do_not_go_round_in_circles(broker):
    """Follow every dead letter by exchange and routing key; a retry's key is the consumer's choice."""
    targets = {}
    for queue in broker["queues"]:
        definition = queue["policy"]
        if definition.get("dead-letter-exchange"):
            targets[queue["name"]] = {
                binding["queue"]
                for binding in broker["bindings"]
                if binding["exchange"] == definition["dead-letter-exchange"]
                and binding["routing_key"] == definition["dead-letter-routing-key"]
            }
    assert all(found == {f"{name}:dead"} for name, found in targets.items())
    assert not any(found & set(targets) for found in targets.values())


def test_permissions(broker):
    processing = user(broker, "order-processing.1")
    assert processing["secret"] == "services/order-processing/broker_password_1"
    assert processing["configure"] == "^$"

    def matched(key):
        # As RabbitMQ does it: a search, in which the expression's own anchors decide.
        return {name for name in names(broker) if re.search(processing[key], name)}

    events = {"order.paid", "order.packed", "order.shipped", "order.rejected"}
    assert matched("write") == {*events, "dead", *DELAYS}
    assert matched("read") == {MAIN, DEAD} | {
        f"order-processing:order.cancelled{end}" for end in ("", ":dead")
    }
    assert not re.search(processing["write"], "order_paid")
    assert not re.search(processing["write"], "order.paid2")


def test_parts_have_the_user_of_their_service(broker):
    assert [item["name"] for item in broker["users"]] == [
        *("users.1", "orders.1", "order-processing.1", "notifications.1", "audit.1")
    ]
    orders = user(broker, "orders.1")
    assert re.search(orders["write"], "order.created")
    assert re.search(orders["write"], "retry:10m")
    assert re.search(orders["read"], "orders:order.paid:dead")
    assert (user(broker, "users.1")["read"], user(broker, "audit.1")["write"]) == (
        "^$",
        r"^(dead|retry:1s|retry:5s|retry:30s|retry:2m|retry:10m)$",
    )


def test_a_user_that_only_publishes_reaches_no_retries(broker):
    assert not re.search(user(broker, "users.1")["write"], "retry:1s")


def test_one_queue_per_site(shop):
    shop.services["order-processing"]["consumes"]["order.created"]["per"] = "site"
    broker = shop.platform_views["rabbitmq"]
    bound = [item["queue"] for item in broker["bindings"] if item["exchange"] == "order.created"]
    assert bound == [
        "order-processing:order.created:msk",
        "order-processing:order.created:spb",
        "audit:order.created",
    ]
    assert re.search(user(broker, "order-processing.1")["read"], "order-processing:order.created:spb:dead")
    for host, site in (("msk-app1", "msk"), ("spb-app1", "spb")):
        consumes = service(shop, host, "order-processing")["environment"]["BROKER_CONSUMES"]
        assert json.loads(consumes)["order.created"]["queue"] == f"order-processing:order.created:{site}"
    shop.groups["spb_only"] = ["spb-app1"]
    shop.services["order-processing"]["hosts"] = "spb_only"
    broker = shop.platform_views["rabbitmq"]
    bound = [item["queue"] for item in broker["bindings"] if item["exchange"] == "order.created"]
    assert bound == ["order-processing:order.created:spb", "audit:order.created"]


def test_environment_of_a_service_with_events(shop):
    environment = service(shop, "spb-app1", "order-processing")["environment"]
    assert {name: value for name, value in environment.items() if name.startswith("BROKER")} == {
        "BROKER_HOSTS": "spb-data1.example.org:5671,msk-data1.example.org:5671,wit1.example.org:5671",
        "BROKER_USER": "order-processing.1",
        "BROKER_VHOST": "tandem",
        "BROKER_CA": "/etc/tandem/tls/ca.pem",
        "BROKER_HEARTBEAT_S": "5",
        "BROKER_TCP_USER_TIMEOUT_MS": "2000",
        "BROKER_CONNECT_TIMEOUT_S": "2",
        "BROKER_PUBLISHES": "order.paid,order.packed,order.shipped,order.rejected",
        "BROKER_CONSUMES": json.dumps(
            {
                "order.created": {"queue": "order-processing:order.created", "retries": 10},
                "order.cancelled": {"queue": "order-processing:order.cancelled", "retries": 5},
            }
        ),
    }


def test_environment_of_parts(shop):
    environment = service(shop, "msk-app1", "orders-events")["environment"]
    assert (environment["BROKER_USER"], environment["BROKER_PUBLISHES"]) == (
        "orders.1",
        "order.created,order.cancelled",
    )
    assert json.loads(environment["BROKER_CONSUMES"])["order.paid"]["queue"] == "orders:order.paid"
    assert service(shop, "msk-app1", "orders")["environment"]["BROKER_CONSUMES"] == "{}"
    shop.services["orders-events"]["publishes"] = []
    assert service(shop, "msk-app1", "orders-events")["environment"]["BROKER_PUBLISHES"] == ""


def test_only_processes_with_events_get_the_password(shop):
    with_password = {
        view["name"]
        for view in shop.platform_views["views"]["msk-app1"]["services"]
        if any(secret["name"] == "broker_password" for secret in view["secrets"])
    }
    told = {
        view["name"]
        for view in shop.platform_views["views"]["msk-app1"]["services"]
        if any(name.startswith("BROKER_") for name in view["environment"])
    }
    assert with_password == told
    assert with_password == {
        *("users", "users-relay", "orders", "orders-events", "orders-relay"),
        *("order-processing", "order-processing-relay", "notifications", "audit-events"),
    }


def test_a_new_generation_of_passwords(shop):
    shop.platform["platform_rabbitmq"] = {"password_generation": 3}
    orders = service(shop, "msk-app1", "orders")
    assert orders["environment"]["BROKER_USER"] == "orders.3"
    assert orders["secrets"][-1] == {
        "name": "broker_password",
        "path": "services/orders/broker_password_3",
        "kind": "random",
        "public": False,
    }
    assert user(shop.platform_views["rabbitmq"], "orders.3")["secret"] == orders["secrets"][-1]["path"]


def test_without_events_there_are_only_nodes(case):
    broker = case.platform_views["rabbitmq"]
    assert len(broker["nodes"]) == 3
    assert [broker[key] for key in ("exchanges", "queues", "bindings", "users")] == [[], [], [], []]
    assert "BROKER" not in json.dumps(case.platform_views["views"])


def test_people_see_it_without_secrets(shop):
    shown = config_view(shop.platform_views, "rabbitmq")
    assert shown == {"rabbitmq": shop.platform_views["rabbitmq"]}
    shop.services["orders"]["environment"]["API_TOKEN"] = "s3cret"
    shown = config_view(shop.platform_views)
    assert "s3cret" not in str(shown)
    for name in ("orders", "orders-events", "orders-relay"):
        assert shown["catalog"][name]["environment"]["API_TOKEN"] == "********"


def test_everything_is_plain_data(shop):
    views = shop.platform_views
    assert json.loads(json.dumps(views)) == views
