"""What is derived from the sound inventory, view by view."""

import json


def view(case, host):
    return case.platform_views["views"][host]


def service(case, host, name):
    return next(item for item in view(case, host)["services"] if item["name"] == name)


def server(name, address, local):
    return {"name": name, "address": address, "port": 7443, "local": local}


def test_everything_is_plain_data(case):
    views = case.platform_views
    assert json.loads(json.dumps(views)) == views


def test_top_level_keys(case):
    assert {"hosts", "views", "postgres", "timeouts", "services", "apps", "warnings"} <= set(
        case.platform_views
    )
    assert set(view(case, "wit1")) == {
        "etc_hosts",
        "certificates",
        "services",
        "haproxy",
        "nginx",
        "exporter",
    }


def test_hosts(case):
    assert case.platform_views["hosts"]["msk-edge1"] == {
        "site": "msk",
        "address": "10.1.0.11",
        "address6": "fd01::11",
        "fqdn": "msk-edge1.example.org",
        "classes": ["edge"],
    }
    assert case.platform_views["hosts"]["msk-app1"]["address6"] is None


def test_platform_address_is_preferred_to_the_address_of_ssh(case):
    case.hosts["msk-app1"] |= {"ansible_host": "192.0.2.9", "platform_address": "10.1.0.21"}
    assert case.platform_views["hosts"]["msk-app1"]["address"] == "10.1.0.21"


def test_etc_hosts_has_every_host_on_every_host(case):
    entries = view(case, "wit1")["etc_hosts"]
    assert len(entries) == len(case.hosts)
    assert entries[0] == {"address": "10.1.0.11", "names": ["msk-edge1.example.org", "msk-edge1"]}


# Certificates


def test_certificates_by_class(case):
    names = {
        host: [item["name"] for item in views["certificates"]]
        for host, views in case.platform_views["views"].items()
    }
    assert names == {
        "msk-edge1": ["haproxy", "edge"],
        "spb-edge1": ["haproxy", "edge"],
        "msk-app1": ["haproxy"],
        "spb-app1": ["haproxy"],
        "msk-data1": ["postgres", "rabbitmq", "valkey"],
        "spb-data1": ["postgres", "rabbitmq", "valkey"],
        "wit1": ["postgres", "rabbitmq"],
    }


def test_internal_certificate(case):
    assert view(case, "msk-edge1")["certificates"][0] == {
        "name": "haproxy",
        "common_name": "msk-edge1",
        "subject_alt_names": ["DNS:msk-edge1.example.org", "DNS:msk-edge1", "IP:10.1.0.11", "IP:fd01::11"],
        "usages": ["server", "client"],
        "owner": "haproxy",
        "group": "haproxy",
        "provided": None,
    }
    for number, owner in enumerate(("postgres", "rabbitmq")):
        certificate = view(case, "wit1")["certificates"][number]
        assert (certificate["owner"], certificate["group"], certificate["usages"]) == (
            *(owner, owner),
            ["server", "client"],
        )
        assert certificate["subject_alt_names"] == ["DNS:wit1.example.org", "DNS:wit1", "IP:10.3.0.11"]


def test_edge_certificate(case):
    case.platform["platform_public_names"].append("www.example.org")
    edge = view(case, "spb-edge1")["certificates"][1]
    assert (edge["common_name"], edge["owner"], edge["usages"]) == ("shop.example.org", "root", ["server"])
    assert edge["subject_alt_names"] == ["DNS:shop.example.org", "DNS:www.example.org"]


def test_own_edge_certificate(case):
    case.platform["platform_edge_certificate"] = {"certificate": "tls/shop.pem", "key": "/etc/shop.key"}
    case.files |= {"/project/tls/shop.pem": "", "/etc/shop.key": ""}
    edge = view(case, "spb-edge1")["certificates"][1]
    assert edge["provided"] == {"certificate": "/project/tls/shop.pem", "key": "/etc/shop.key"}


def test_a_public_name_too_long_for_a_common_name_is_still_covered(case):
    long = "a" * 60 + ".shop.example.org"
    case.platform["platform_public_names"] = [long, "shop.example.org"]
    edge = view(case, "msk-edge1")["certificates"][1]
    assert edge["common_name"] == "shop.example.org"
    assert edge["subject_alt_names"][0] == f"DNS:{long}"


# Services


def test_services_come_in_start_order(case):
    case.services = dict(reversed(case.services.items()))
    assert [item["name"] for item in view(case, "msk-app1")["services"]] == ["digest", "users", "order-mail"]


def test_manager_is_handed_through(case):
    case.services["users"]["manager"] = "supervisord"
    assert service(case, "msk-app1", "users")["manager"] == "supervisord"


def test_hosts_without_services(case):
    assert view(case, "msk-edge1")["services"] == []


def test_service_view(case):
    found = service(case, "spb-app1", "order-mail")
    assert found | {"environment": None} == {
        "name": "order-mail",
        "user": "svc-order-mail",
        "unit": "order-mail",
        "bind": "127.0.0.1",
        "port": 5020,
        "instances": 1,
        "autoscale": None,
        "wsgi": "order_mail.wsgi:app",
        "command": None,
        "release_of": None,
        "schedule": None,
        "threads": 8,
        "restart": "always",
        "manager": "systemd",
        "limits": {"memory": None, "cpu": None, "tasks": None},
        "logging": {"max_size": "32M", "max_file": 5},
        "environment": None,
        "env_files": ["/project/common.env"],
        "secrets": [
            {"name": "jwt_public", "path": "services/users/jwt_key", "kind": "ec-p256", "public": True},
            {
                "name": "session_key",
                "path": "services/order-mail/session_key",
                "kind": "random",
                "public": False,
            },
        ],
        "volumes": ["/srv/branding:/branding:ro"],
        "health": "/health/ready",
        "depends_on": ["users"],
        "database": None,
    }
    assert found["environment"] == {
        "SERVICE_NAME": "order-mail",
        "HOST_NAME": "spb-app1",
        "SITE": "spb",
        "PLATFORM": "trial",
        "USERS_URL": "http://127.0.0.2:5000",
        "LOG_LEVEL": "info",
        "RETRIES": "3",
        "DEBUG": "false",
    }


def test_dependencies_on_other_hosts_are_no_units(case):
    case.groups["mailers"] = ["msk-app1"]
    case.services["users"]["hosts"] = "mailers"
    assert service(case, "spb-app1", "order-mail")["depends_on"] == []
    assert service(case, "msk-app1", "order-mail")["depends_on"] == ["users"]


def test_database_of_a_service(case):
    found = service(case, "spb-app1", "users")
    database = found["database"]
    rest = (
        "sslmode=verify-full sslrootcert=/etc/tandem/tls/ca.pem target_session_attrs={} connect_timeout=2 "
        "tcp_user_timeout=2000 keepalives_idle=1 keepalives_interval=1 keepalives_count=2 application_name={}"
    )
    start = "host=10.2.0.31,10.1.0.31 port=5432,5432 dbname=users user={} "
    assert database["dsn"] == start.format("users") + rest.format("read-write", "users")
    assert database["read_dsn"] == start.format("users") + rest.format("any", "users")
    assert database["owner_dsn"] == start.format("users_owner") + rest.format("read-write", "users-migrate")
    assert (database["owner"], database["runtime"]) == ("users_owner", "users")
    assert database["migrate"] == ["users", "migrate"]
    assert database["init"] == ["/project/sql/users.sql"]
    assert found["environment"]["DATABASE_DSN"] == database["dsn"]
    assert found["environment"]["DATABASE_READ_DSN"] == database["read_dsn"]
    assert found["environment"]["DATABASE_POOL"] == "5"


def test_own_site_is_first_in_both_directions(case):
    assert service(case, "msk-app1", "users")["database"]["dsn"].startswith("host=10.1.0.31,10.2.0.31 ")
    assert service(case, "spb-app1", "users")["database"]["dsn"].startswith("host=10.2.0.31,10.1.0.31 ")


def test_no_password_is_derived(case):
    assert "password" not in json.dumps(case.platform_views)


def test_apps(case):
    case.services["digest"]["app"] = "dist/digest-1.2-py3-none-any.whl"
    case.services["clock"] = {"app": "clock==1", "hosts": "app", "command": ["clock"]}
    case.files["/project/dist/digest-1.2-py3-none-any.whl"] = ""
    assert [
        (item["service"], item["source_kind"], item["source"]) for item in case.platform_views["apps"]
    ] == [
        ("users", "folder", "/project/apps/users"),
        ("order-mail", "folder", "/project/apps/order_mail"),
        ("digest", "wheel", "/project/dist/digest-1.2-py3-none-any.whl"),
        ("clock", "requirement", "clock==1"),
    ]
    assert {item["python"] for item in case.platform_views["apps"]} == {"3.13"}


# Postgres


def test_postgres(case):
    postgres = case.platform_views["postgres"]
    assert postgres["monitor"] == {
        "host": "wit1",
        "name": "wit1",
        "address": "10.3.0.11",
        "site": "wit",
        "port": 5431,
    }
    assert [(node["host"], node["site"], node["port"]) for node in postgres["nodes"]] == [
        ("msk-data1", "msk", 5432),
        ("spb-data1", "spb", 5432),
    ]
    assert postgres["networks"]["msk"] == ["10.1.0.0/24", "fd01::/64"]
    assert postgres["settings"] == {"max_connections": 100, "shared_buffers": "128MB"}
    assert (postgres["version"], postgres["failover_version"]) == (17, "2.2")
    assert postgres["databases"][0] == {
        "name": "users",
        "owner": "users_owner",
        "runtime": "users",
        "init": ["/project/sql/users.sql"],
        "clients": ["10.1.0.21/32", "10.2.0.21/32"],
        "connection_limit": 5 * 2 * 2 + 2,
    }


def test_postgres_settings_of_ones_own(case):
    case.platform["platform_postgres"] |= {"effective_cache_size": "1GB"}
    assert case.platform_views["postgres"]["settings"]["effective_cache_size"] == "1GB"


# HAProxy and NGINX


def test_router(case):
    router = view(case, "spb-edge1")["haproxy"]["router"]
    assert (router["address"], router["port"], router["ingress_address"]) == ("127.0.0.1", 8080, None)
    assert router["services"] == [
        {
            "name": name,
            "routes": routes,
            "ingress": "nginx",
            "servers": [server("spb-app1", "10.2.0.21", True), server("msk-app1", "10.1.0.21", False)],
            "health": "/health/ready",
        }
        for name, routes in (("users", ["/users/"]), ("order-mail", ["/mails", "/mails/sent/"]))
    ]
    assert router["gateway"] == {
        "tokens": None,
        "limits": {"address": None, "subject": None},
        "clients": [],
    }
    assert view(case, "spb-edge1")["haproxy"]["door"] is None


def test_gateway(case):
    case.platform["platform_gateway"] = {
        "tokens": {"keys_of": "users/jwt_key", "issuer": "trial-users", "audience": "trial-shop"},
        "limits": {"address": {"requests": 300, "per": 10}},
        "clients": {"partner-b": {"requests": 50, "per": 1}, "partner-a": {"requests": 20, "per": 10}},
    }
    assert view(case, "msk-edge1")["haproxy"]["router"]["gateway"] == {
        "tokens": {
            "issuer": "trial-users",
            "audience": "trial-shop",
            "secrets": ["services/users/jwt_key"],
        },
        "limits": {"address": {"requests": 300, "per": 10}, "subject": None},
        "clients": [
            {"name": "partner-a", "secret": "gateway/clients/partner-a", "requests": 20, "per": 10},
            {"name": "partner-b", "secret": "gateway/clients/partner-b", "requests": 50, "per": 1},
        ],
    }


def test_api_clients(case):
    assert case.platform_views["api_clients"] == []
    case.platform["platform_gateway"] = {"clients": {"partner": {"requests": 50, "per": 1}}}
    assert case.platform_views["api_clients"] == [
        {"name": "partner", "secret": "gateway/clients/partner", "requests": 50, "per": 1}
    ]


def test_the_key_of_the_gateway_is_the_one_that_the_service_signs_with(case):
    case.platform["platform_gateway"] = {
        "tokens": {"keys_of": "users/jwt_key", "issuer": "trial-users", "audience": "trial-shop"}
    }
    (path,) = view(case, "msk-edge1")["haproxy"]["router"]["gateway"]["tokens"]["secrets"]
    assert path in [secret["path"] for secret in service(case, "msk-app1", "users")["secrets"]]


def test_door(case):
    door = view(case, "msk-app1")["haproxy"]["door"]
    assert (door["address"], door["port"]) == ("10.1.0.21", 7443)
    assert door["edges"] == ["msk-edge1", "spb-edge1"]
    assert door["services"] == [
        {
            "name": "users",
            "port": 5000,
            "instances": 2,
            "always": 2,
            "threads": 8,
            "health": "/health/ready",
            "callers": ["msk-edge1", "spb-edge1", "msk-app1", "spb-app1"],
        },
        {
            "name": "order-mail",
            "port": 5020,
            "instances": 1,
            "always": 1,
            "threads": 8,
            "health": "/health/ready",
            "callers": ["msk-edge1", "spb-edge1"],
        },
    ]


def test_without_observers_nothing_shows_metrics(case):
    assert view(case, "msk-app1")["haproxy"]["metrics"] is None
    assert view(case, "msk-app1")["exporter"] is None


def test_exporters(case):
    case.groups["obs"] = ["wit1"]
    witness, app = view(case, "wit1")["exporter"], view(case, "msk-app1")["exporter"]
    assert app == {
        "address": "10.1.0.21",
        "scrapers": ["wit1"],
        "door_port": 8405,
        "monitor_port": 0,
        "postgres_node": False,
        "rabbitmq_node": False,
        "databases": {},
    }
    assert (witness["door_port"], witness["monitor_port"], witness["rabbitmq_node"]) == (0, 5431, True)
    assert view(case, "spb-data1")["exporter"]["postgres_node"] is True
    assert "dbname=users" in witness["databases"]["users"]
    assert not set(witness["databases"]["users"].replace("=", " ").split()) & {"user", "sslmode", "password"}
    assert case.platform_views["postgres"]["observers"] == [{"host": "wit1", "address": "10.3.0.11"}]


def test_metrics_of_instances(case):
    case.groups["obs"] = ["wit1"]
    metrics = view(case, "msk-app1")["haproxy"]["metrics"]
    assert (metrics["address"], metrics["port"]) == ("10.1.0.21", 8405)
    assert metrics["scrapers"] == ["wit1"]
    found = {row["path"]: (row["instance_port"], row["socket"]) for row in metrics["instances"]}
    assert found["/service/users/1"] == (5000, None)
    assert found["/service/users/2"] == (5001, None)
    assert view(case, "msk-edge1")["haproxy"]["metrics"]["instances"] == []
    assert view(case, "msk-data1")["haproxy"]["metrics"] is None


def test_callers_without_routes_are_only_the_callers_hosts(case):
    case.services["users"]["routes"] = []
    case.groups["mailers"] = ["spb-app1"]
    case.services["order-mail"]["hosts"] = "mailers"
    door = view(case, "msk-app1")["haproxy"]["door"]
    assert [item["callers"] for item in door["services"]] == [["spb-app1"]]


def test_listeners_are_where_callers_run(case):
    assert view(case, "spb-app1")["haproxy"]["listeners"] == [
        {
            "service": "users",
            "address": "127.0.0.2",
            "port": 5000,
            "servers": [server("spb-app1", "10.2.0.21", True), server("msk-app1", "10.1.0.21", False)],
        }
    ]
    assert view(case, "msk-edge1")["haproxy"]["listeners"] == []
    case.services["order-mail"]["calls"] = []
    assert view(case, "spb-app1")["haproxy"]["listeners"] == []


def test_ingress_haproxy(case):
    case.services["order-mail"]["ingress"] = "haproxy"
    case.hosts["msk-edge1"]["platform_ingress_haproxy_address"] = "10.1.0.111"
    case.hosts["spb-edge1"]["platform_ingress_haproxy_address"] = "10.2.0.111"
    router = view(case, "msk-edge1")["haproxy"]["router"]
    assert router["ingress_address"] == "10.1.0.111"
    assert [item["ingress"] for item in router["services"]] == ["nginx", "haproxy"]
    assert case.platform_views["smoke_paths"] == ["/users/"]


def test_nginx(case):
    assert view(case, "msk-edge1")["nginx"] == {
        "address": "10.1.0.11",
        "address6": "fd01::11",
        "public_names": ["shop.example.org"],
        "http_port": 80,
        "https_port": 443,
        "upstream": "127.0.0.1:8080",
        "certificate": "edge",
        "locations": [{"match": "/", "cached": None}],
    }
    assert view(case, "msk-app1")["nginx"] is None


def locations(case):
    return [(item["match"], item["cached"]) for item in view(case, "msk-edge1")["nginx"]["locations"]]


def test_cached_paths_are_locations(case):
    case.services["users"]["cache"] = ["/users/faces/"]
    case.services["order-mail"]["cache"] = ["/mails/sent"]
    assert locations(case) == [
        ("/", None),
        ("= /mails/sent", "order-mail"),
        ("/mails/sent/", "order-mail"),
        ("/users/faces/", "users"),
    ]


def test_routes_of_others_below_a_cached_path_are_not_cached(case):
    case.services["users"] |= {"routes": ["/", "/users/"], "cache": ["/"]}
    assert locations(case) == [
        ("/", "users"),
        ("= /mails", None),
        ("/mails/", None),
        ("/mails/sent/", None),
    ]
    case.services["order-mail"]["cache"] = ["/mails/sent/"]
    assert locations(case)[-1] == ("/mails/sent/", "order-mail")


def test_routes_of_the_other_ingress_are_no_locations(case):
    case.services["users"] |= {"routes": ["/"], "cache": ["/"]}
    case.services["order-mail"]["ingress"] = "haproxy"
    case.hosts["msk-edge1"]["platform_ingress_haproxy_address"] = "10.1.0.111"
    case.hosts["spb-edge1"]["platform_ingress_haproxy_address"] = "10.2.0.111"
    assert locations(case) == [("/", "users")]


def test_smoke_paths(case):
    assert case.platform_views["smoke_paths"] == ["/users/", "/mails", "/mails/sent/"]


def test_hosts_of_several_classes(case):
    case.hosts.clear()
    for group in case.groups.values():
        group.clear()
    case.add_host("msk1", "msk", "10.1.0.1", "edge", "app", "data", "obs")
    case.add_host("spb1", "spb", "10.2.0.1", "edge", "app", "data", "obs")
    case.add_host("wit1", "wit", "10.3.0.1", "witness", "obs")
    platform = case.platform_views
    assert platform["hosts"]["msk1"]["classes"] == ["edge", "app", "data", "obs"]
    one = platform["views"]["msk1"]
    assert (
        one["haproxy"]["router"] and one["haproxy"]["door"] and one["haproxy"]["listeners"] and one["nginx"]
    )
    observed = ["metrics", "platform-exporter", "promtail", "alertmanager", "loki", "grafana"]
    assert [item["name"] for item in one["certificates"]] == [
        *("haproxy", "postgres", "rabbitmq", "valkey", *observed, "edge"),
    ]
    assert [item["name"] for item in platform["views"]["wit1"]["certificates"]] == [
        *("postgres", "rabbitmq", *observed),
    ]
    assert platform["postgres"]["databases"][0]["clients"] == ["10.1.0.1/32", "10.2.0.1/32"]
