"""What a part takes from its parent, the relays that are derived, and how both are run."""

from ansible_collections.tandem.platform.plugins.plugin_utils.problems import Report
from ansible_collections.tandem.platform.plugins.plugin_utils.services import read_catalog


def views(shop, host="msk-app1"):
    return {item["name"]: item for item in shop.platform_views["views"][host]["services"]}


def test_a_part_takes_from_its_parent_what_it_does_not_say(shop):
    parent, part = views(shop)["orders"], views(shop)["orders-events"]
    assert (part["name"], part["user"], part["unit"]) == (
        "orders-events",
        "svc-orders-events",
        "orders-events",
    )
    assert (part["command"], part["release_of"]) == (["orders", "consume"], "orders")
    assert part["limits"] == parent["limits"] == {"memory": "256M", "cpu": None, "tasks": None}
    assert part["volumes"] == parent["volumes"] == ["/srv/orders:/data:rw"]
    assert (part["port"], part["wsgi"], part["health"], part["instances"]) == (None, None, None, 1)
    assert parent["release_of"] is None


def test_a_parts_own_keys_are_stronger_and_its_environment_is_merged(shop):
    shop.services["orders-events"] |= {
        "limits": {"cpu": "50%"},
        "volumes": [],
        "calls": [],
        "secrets": ["cart_key"],
        "instances": 3,
    }
    part = views(shop)["orders-events"]
    assert part["limits"] == {"memory": None, "cpu": "50%", "tasks": None}
    assert (part["volumes"], part["instances"]) == ([], 3)
    assert (part["environment"]["LOG_LEVEL"], part["environment"]["CURRENCY"]) == ("debug", "RUB")
    assert part["environment"]["SERVICE_NAME"] == "orders-events"
    assert "PRODUCTS_URL" not in part["environment"]
    assert views(shop)["orders"]["environment"]["PRODUCTS_URL"] == "http://127.0.0.2:5010"
    assert [secret["path"] for secret in part["secrets"]] == [
        "services/orders/cart_key",
        "services/orders/broker_password_1",
    ]


def test_secrets_of_a_part_are_those_of_its_service(shop):
    parent, part, relay = (views(shop)[name] for name in ("orders", "orders-events", "orders-relay"))
    assert part["secrets"] == parent["secrets"] == relay["secrets"]
    assert [(secret["name"], secret["path"]) for secret in part["secrets"]] == [
        ("jwt_public", "services/users/jwt_key"),
        ("cart_key", "services/orders/cart_key"),
        ("broker_password", "services/orders/broker_password_1"),
    ]


def test_a_part_uses_its_parents_database_and_never_migrates_it(shop):
    parent, part = views(shop)["orders"]["database"], views(shop)["orders-events"]["database"]
    assert (part["name"], part["runtime"], part["pool"]) == ("orders", "orders", 2)
    assert (part["migrate"], part["init_command"], part["init"]) == (None, None, [])
    assert part["dsn"] == parent["dsn"].replace("application_name=orders", "application_name=orders-events")
    assert views(shop)["orders-events"]["environment"]["DATABASE_POOL"] == "2"
    assert views(shop)["audit-events"]["database"]["pool"] == 5


def test_a_part_has_its_parents_pool_and_database_name(shop):
    shop.services["audit"]["database"] |= {"name": "trail", "pool": 7}
    part = views(shop)["audit-events"]["database"]
    assert (part["name"], part["owner"], part["pool"]) == ("trail", "trail_owner", 7)


def test_a_key_that_only_a_part_has_is_its_services(shop):
    shop.services["audit-events"]["secrets"] = [{"name": "seal", "kind": "ec-p256"}]
    shop.services["products"]["secrets"] = [{"name": "seal_public", "public_of": "audit/seal"}]
    assert views(shop)["audit-events"]["secrets"][0]["path"] == "services/audit/seal"
    assert views(shop)["products"]["secrets"][0]["path"] == "services/audit/seal"
    shop.services["products"]["secrets"][0]["public_of"] = "audit-events/seal"
    (problem,) = shop.problems
    assert "write audit/seal" in problem.cure


def test_a_part_may_do_without_the_database(shop):
    shop.services["notifications-ping"] = {
        "part_of": "notifications",
        "command": ["notifications", "ping"],
        "database": None,
    }
    part = views(shop)["notifications-ping"]
    assert part["database"] is None
    assert "DATABASE_DSN" not in part["environment"]


def test_every_publisher_has_a_relay(shop):
    found = {name: view for name, view in views(shop).items() if name.endswith("-relay")}
    assert {name: view["command"] for name, view in found.items()} == {
        "users-relay": ["users", "relay"],
        "orders-relay": ["orders", "relay"],
        "order-processing-relay": ["processing", "relay"],  # no migrations: the command's console script
    }
    relay = found["order-processing-relay"]
    assert (relay["release_of"], relay["instances"], relay["database"]["pool"]) == ("order-processing", 1, 2)
    assert relay["user"] == "svc-order-processing-relay"
    assert relay["environment"]["BROKER_PUBLISHES"] == "order.paid,order.packed,order.shipped,order.rejected"
    assert relay["environment"]["BROKER_CONSUMES"] == "{}"
    assert relay["restart"] == "always"


def test_a_console_script_is_the_services_name_without_any_command(shop):
    shop.services["users"]["database"] = {}
    assert views(shop)["users-relay"]["command"] == ["users", "relay"]
    shop.services["users"]["command"] = ["/usr/bin/env", "x"]
    assert views(shop)["users-relay"]["command"] == ["users", "relay"]


def test_a_relay_of_ones_own_replaces_the_derived_one(shop):
    shop.services["order-processing-relay"] = {
        "part_of": "order-processing",
        "command": ["processing", "relay", "--slowly"],
        "secrets": [],
    }
    relay = views(shop)["order-processing-relay"]
    assert relay["command"][-1] == "--slowly"
    assert relay["database"]["pool"] == 5
    assert [secret["name"] for secret in relay["secrets"]] == ["broker_password"]


def test_longest_names_of_services_have_relays(shop):
    shop.services["a-name-of-20-letters"] = shop.services.pop("order-processing")
    user = views(shop)["a-name-of-20-letters-relay"]["user"]
    assert len(user) < 32  # the longest name that useradd takes


def test_parents_come_first(shop):
    order = list(views(shop))
    assert order.index("orders") < order.index("orders-events")
    assert order.index("products") < order.index("orders")


def test_parts_are_in_the_catalog_that_people_see(shop):
    services = shop.platform_views["services"]
    assert services["orders-relay"]["part_of"] == "orders"
    assert services["orders-events"]["app"] == "orders==1"


def test_only_services_are_built(shop):
    assert [app["service"] for app in shop.platform_views["apps"]] == [
        *("users", "products", "orders", "order-processing", "notifications", "audit"),
    ]


def test_callers_include_the_hosts_of_parts(shop):
    shop.add_host("msk-app2", "msk", "10.1.0.22", "app", "workers")
    shop.groups["workers"] = ["msk-app2"]
    shop.groups["web"] = ["msk-app1", "spb-app1"]
    for name in ("products", "orders", "order-processing"):
        shop.services[name]["hosts"] = "web"
    shop.services["orders-events"]["hosts"] = "workers"
    platform = shop.platform_views
    door = platform["views"]["msk-app1"]["haproxy"]["door"]
    assert "msk-app2" in next(item for item in door["services"] if item["name"] == "products")["callers"]
    (database,) = [item for item in platform["postgres"]["databases"] if item["name"] == "orders"]
    assert database["clients"] == ["10.1.0.21/32", "10.2.0.21/32", "10.1.0.22/32"]
    assert "orders-events" not in views(shop)
    assert views(shop, "msk-app2")["orders-events"]["release_of"] == "orders"


def test_a_database_takes_the_pools_of_all_its_processes(shop):
    limits = {item["name"]: item["connection_limit"] for item in shop.platform_views["postgres"]["databases"]}
    assert limits == {
        "users": 5 * 2 * 2 + 2 * 2 + 2,
        "products": 5 * 2 + 2,
        "orders": 5 * 2 * 2 + 2 * 2 + 2 * 2 + 2,
        "order_processing": 5 * 2 + 2 * 2 + 2,
        "notifications": 5 * 2 + (5 + 1) * 2 + 2,  # the digest has a lease
        "audit": 5 * 2 + 5 * 2 + 2,
    }


def test_all_pools_must_fit(shop):
    # 130 of the databases above, with their migrations; superuser 3, monitoring 5
    shop.platform["platform_postgres"]["max_connections"] = 138
    assert shop.problems == []
    shop.platform["platform_postgres"]["max_connections"] = 137
    (problem,) = shop.problems
    assert "137 is less than 138" in problem.what
    assert "order-processing-relay 2 x 1 x 2 = 4" in problem.what
    assert "migrations 2 x 6" in problem.what


def test_a_timer(shop):
    found = views(shop)["digest"]
    assert found["schedule"] == {
        "calendar": "*-*-* 09:00:00",
        "run_on": "one_host",
        "missed": "run",
        "timeout_s": 300,
    }
    assert (found["restart"], found["release_of"], found["instances"]) == ("no", "notifications", 1)
    assert "BROKER_USER" not in found["environment"]
    assert found["secrets"] == []
    assert views(shop)["notifications"]["schedule"] is None


def test_defaults_of_a_timer(shop):
    for key in ("missed", "timeout"):
        del shop.services["digest"][key]
    assert views(shop)["digest"]["schedule"] | {"calendar": None} == {
        "calendar": None,
        "run_on": "one_host",
        "missed": "skip",
        "timeout_s": 900,
    }


def test_what_is_wrong_in_a_parent_is_said_once(shop):
    shop.services["orders"] |= {"environment": {"SITE": "x"}, "limits": {"memory": "much"}}
    assert [problem.where for problem in shop.problems] == [
        "services.orders.environment.SITE",
        "services.orders.limits.memory",
    ]


def test_rules_between_entries_see_a_part_only_with_its_parent(shop):
    report = Report()
    shop.services["orders"]["threads"] = 4
    shop.services["orders"]["command"] = ["orders"]
    catalog = read_catalog(shop.services, {}, report)
    assert [problem.where for problem in report.problems] == ["services.orders.threads"]
    assert {"orders", "orders-events", "orders-relay"} & set(catalog.services) == set()
    assert {"orders", "orders-events", "orders-relay"} <= set(catalog.entries)
    assert len(shop.problems) == 1


def test_what_an_override_gives_a_parent_reaches_its_parts(shop):
    shop.override = {"orders": {"limits": {"memory": "1G"}}, "orders-events": {"instances": 4}}
    assert views(shop)["orders-events"]["limits"]["memory"] == "1G"
    assert views(shop)["orders-events"]["instances"] == 4
    shop.override["orders"]["limits"]["memory"] = "huge"
    (problem,) = shop.problems
    assert problem.where == "services_override.orders.limits.memory"


def test_one_site_is_warned_of_once(shop):
    shop.groups["msk_only"] = ["msk-app1"]
    shop.services["orders"]["hosts"] = "msk_only"
    (warning,) = shop.derive().warnings
    assert warning.startswith("services.orders.hosts")
    assert warning.endswith("its loss stops orders")
