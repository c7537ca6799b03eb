"""Where Valkey runs, who may use it, and what its users are told."""

import pytest


def service(case, host, name):
    return next(item for item in case.platform_views["views"][host]["services"] if item["name"] == name)


def told(view):
    return {name: value for name, value in view["environment"].items() if name.startswith("VALKEY_")}


def passwords(view):
    return [secret for secret in view["secrets"] if secret["name"] == "valkey_password"]


def test_one_instance_per_site(case):
    assert case.platform_views["valkey"] == {
        "instances": [
            {"host": "msk-data1", "address": "10.1.0.31", "site": "msk", "port": 6379},
            {"host": "spb-data1", "address": "10.2.0.31", "site": "spb", "port": 6379},
        ],
        "users": [],
        "exporter": "",
    }


def test_of_several_hosts_in_a_site_the_first(case):
    from ansible_collections.tandem.platform.plugins.plugin_utils.inventory import Host, Inventory
    from ansible_collections.tandem.platform.plugins.plugin_utils.views_valkey import valkey_hosts

    def host(name, site, *classes):
        return Host(name, site, "10.0.0.1", None, None, f"{name}.example.org", classes)

    hosts = [
        host("a", "msk", "app"),
        host("b", "msk", "data"),
        host("c", "spb", "data"),
        host("d", "msk", "data"),
    ]
    inventory = Inventory({item.name: item for item in hosts}, {})
    assert [item.name for item in valkey_hosts(inventory)] == ["b", "c"]


@pytest.mark.parametrize(("host", "nearest"), [("msk-app1", "msk-data1"), ("spb-app1", "spb-data1")])
def test_a_service_is_told_of_its_own_sites_instance(case, host, nearest):
    case.services["order-mail"]["valkey"] = True
    found = service(case, host, "order-mail")
    assert told(found) == {
        "VALKEY_HOST": f"{nearest}.example.org",
        "VALKEY_PORT": "6379",
        "VALKEY_USER": "order-mail",
        "VALKEY_CA": "/etc/tandem/tls/ca.pem",
    }
    assert passwords(found) == [
        {
            "name": "valkey_password",
            "path": "services/order-mail/valkey_password",
            "kind": "random",
            "public": False,
        }
    ]


def test_the_others_are_told_nothing(case):
    case.services["order-mail"]["valkey"] = True
    found = service(case, "msk-app1", "users")
    assert (told(found), passwords(found)) == ({}, [])


def test_a_part_has_its_services_user_and_a_relay_has_none(shop):
    shop.services["orders"]["valkey"] = True
    part, relay = (service(shop, "msk-app1", name) for name in ("orders-events", "orders-relay"))
    assert told(part)["VALKEY_USER"] == "orders"
    assert passwords(part)[0]["path"] == "services/orders/valkey_password"
    assert (told(relay), passwords(relay)) == ({}, [])
    assert shop.platform_views["valkey"]["users"] == [
        {"name": "orders", "secret": "services/orders/valkey_password"}
    ]


def test_a_part_alone_may_use_it(shop):
    shop.services["orders-events"]["valkey"] = True
    assert told(service(shop, "msk-app1", "orders")) == {}
    assert told(service(shop, "msk-app1", "orders-events"))["VALKEY_USER"] == "orders"
    assert [user["name"] for user in shop.platform_views["valkey"]["users"]] == ["orders"]


def test_a_part_may_do_without_it(shop):
    shop.services["orders"]["valkey"] = True
    shop.services["orders-events"]["valkey"] = False
    assert told(service(shop, "msk-app1", "orders-events")) == {}


def test_certificates_are_for_the_data_hosts(case):
    for host, views in case.platform_views["views"].items():
        (*found,) = (item for item in views["certificates"] if item["name"] == "valkey")
        assert [item["owner"] for item in found] == (["valkey"] if "data" in host else [])
