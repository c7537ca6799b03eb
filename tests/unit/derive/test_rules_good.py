"""What must be accepted: each rule's good side, beside the sound inventory itself."""

import pytest


def ports_side_by_side(case):
    case.services["users"]["port"] = 5018
    case.services["order-mail"]["port"] = 5020


def highest_and_lowest_port(case):
    case.services["users"]["port"] = 65534
    case.services["order-mail"]["port"] = 1024


def nested_routes_of_two_services(case):
    case.services["order-mail"]["routes"] = ["/users/mails/", "/"]


def same_route_on_both_ingresses(case):
    case.services["order-mail"] |= {"routes": ["/users/"], "ingress": "haproxy"}
    case.hosts["msk-edge1"]["platform_ingress_haproxy_address"] = "10.1.0.111"
    case.hosts["spb-edge1"]["platform_ingress_haproxy_address"] = "10.2.0.111"


def cached_paths(case):
    case.services["users"] |= {"routes": ["/", "/users/"], "cache": ["/", "/users/faces", "/shop/"]}
    case.services["order-mail"]["cache"] = ["/mails/", "/mails/sent/"]


def route_that_only_starts_like_the_static_files(case):
    case.services["users"]["routes"] = ["/statics/"]


def name_of_twenty_characters(case):
    case.services["a-name-of-20-letters"] = case.services.pop("digest")


def restart_policies(case):
    case.services["users"]["restart"] = False  # a bare `no` in YAML
    case.services["order-mail"]["restart"] = "on-failure:3"
    case.services["digest"]["restart"] = "unless-stopped"


def wheel(case):
    case.services["digest"]["app"] = "wheels/digest-1.2-py3-none-any.whl"
    case.files["/project/wheels/digest-1.2-py3-none-any.whl"] = ""


def absolute_app(case):
    case.services["users"]["app"] = "/project/apps/users"


def calls_in_both_directions(case):
    case.services["users"]["calls"] = ["order-mail"]


def worker_that_calls(case):
    case.services["digest"]["calls"] = ["users"]


def custom_group_inside_app(case):
    case.groups["mailers"] = ["msk-app1", "spb-app1"]
    case.services["order-mail"]["hosts"] = "mailers"


def separate_databases(case):
    case.services["digest"]["database"]["name"] = "mails"


def reserved_service_name_with_another_database(case):
    case.services["public"] = case.services.pop("digest") | {"database": {"name": "published"}}


def own_edge_certificate(case):
    case.platform["platform_edge_certificate"] = {"certificate": "tls/shop.pem", "key": "tls/shop.key"}
    case.files |= {"/project/tls/shop.pem": "", "/project/tls/shop.key": ""}


def pools_that_just_fit(case):
    # users 5 x 2 x 2, digest 5 x 1 x 2; superuser 3, monitoring 5, migrations 2 x 2
    case.platform["platform_postgres"]["max_connections"] = 42


def safe_timeouts_of_ones_own(case):
    case.platform["platform_timeouts"] = {"profile": "fast", "postgres": {"wal_sender_timeout_ms": 3400}}


def addresses_apart_from_ssh(case):
    case.hosts["msk-app1"] |= {"ansible_host": "app1.management.example.org", "platform_address": "10.1.0.21"}


def witness_and_observer(case):
    case.groups["obs"].append("wit1")


def third_datacenter_without_data(case):
    case.platform["platform_sites"]["ekb"] = {"networks": ["10.4.0.0/24"]}
    case.add_host("ekb-all1", "ekb", "10.4.0.2", "edge", "app")


def three_hosts(case):
    case.hosts.clear()
    for group in case.groups.values():
        group.clear()
    case.add_host("msk1", "msk", "10.1.0.1", "edge", "app", "data", "obs")
    case.add_host("spb1", "spb", "10.2.0.1", "edge", "app", "data", "obs")
    case.add_host("wit1", "wit", "10.3.0.1", "witness", "obs")


def no_services(case):
    case.services.clear()


def only_a_variable_of_another_services_database(case):
    del case.services["order-mail"]["env_file"]
    case.services["order-mail"]["environment"] = {"DATABASE_DSN": "its own, elsewhere", "ORDER_MAIL_URL": "x"}


def override_that_cures(case):
    case.services["users"]["port"] = 80
    case.override = {"users": {"port": 5000}}


def gateway_with_everything(case):
    rate = {"requests": 1_000_000, "per": 3600}
    case.services["users"]["secrets"].append({"name": "jwt_next", "kind": "ec-p256"})
    case.platform["platform_gateway"] = {
        "tokens": {"keys_of": ["users/jwt_key", "users/jwt_next"], "issuer": "a/b", "audience": "https://x"},
        "limits": {"address": {"requests": 1, "per": 1}, "subject": rate},
        "clients": {"partner-a": rate, "0": rate},
    }


def gateway_with_nothing(case):
    case.platform["platform_gateway"] = {}


def gateway_with_clients_only(case):
    case.platform["platform_gateway"] = {"clients": {"partner": {"requests": 5, "per": 1}}}


def prometheus_with_everything(case):
    case.files["/project/alerts/x.yaml"] = "groups: []"
    case.platform["platform_prometheus"] = {
        "retention_time": "1y2w3d",
        "retention_size": "1TB",
        "probes": ["/", "/a%20b/?page=2"],
        "scrape_configs": [
            {"job_name": "mine", "basic_auth": {"username": "me", "password_file": "/etc/mine"}}
        ],
        "remote_write": [{"url": "http://10.9.0.1:9009/push", "tls_config": {"key_file": "/etc/key.pem"}}],
        "rule_files": ["alerts/x.yaml"],
        "runbooks_url": "https://wiki.example.org/runbooks",
    }


def no_observability(case):
    case.platform["platform_observability"] = False


CHANGES = [value for name, value in list(globals().items()) if callable(value) and not name.startswith("_")]


def test_sound_inventory_has_neither_problems_nor_warnings(case):
    derivation = case.derive()
    assert (derivation.problems, derivation.warnings) == ([], [])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_is_accepted(case, change):
    change(case)
    derivation = case.derive()
    assert derivation.problems == []
    assert derivation.platform is not None
