"""What must be refused: one case per rule, with the key, a part of what is wrong, and a part of the cure."""

import pytest

CASES = {}


def case_of(where, what="", cure=""):
    """Register a change to the sound inventory that must give exactly one problem."""

    def register(change):
        assert change.__name__ not in CASES
        CASES[change.__name__] = (change, where, what, cure)
        return change

    return register


def entry(name, where, what, cure, **keys):
    """Register a change of some keys of service users."""

    def change(case):
        case.services["users"] |= keys

    change.__name__ = name
    case_of(where, what, cure)(change)


def variable(name, where, what, cure, **keys):
    """Register a change of some of the platform's variables."""

    def change(case):
        case.platform |= keys

    change.__name__ = name
    case_of(where, what, cure)(change)


# Unknown keys and wrong types

entry("unknown_key", "services.users.prot", "unknown key", "write port", prot=1)
entry("unknown_key_far_from_all", "services.users.zzz", "unknown key", "known here: app, autoscale", zzz=1)
entry(
    "unknown_nested_key",
    "services.users.limits.memroy",
    "unknown key",
    "write memory",
    limits={"memroy": "1G"},
)
entry(
    "unknown_key_of_a_secret",
    "services.users.secrets[1].knd",
    "unknown key",
    "write kind",
    secrets=["session_key", {"name": "jwt_key", "knd": "ec-p256"}],
)
variable(
    "unknown_variable",
    "platform_pubic_names",
    "unknown key",
    "write platform_public_names",
    platform_pubic_names=[],
)
variable(
    "unknown_key_of_a_site",
    "platform_sites.msk.network",
    "unknown key",
    "write networks",
    platform_sites={"msk": {"networks": ["10.1.0.0/24"], "network": "10.1.0.0/24"}},
)
variable(
    "unknown_key_of_postgres",
    "platform_postgres.max_conections",
    "unknown key",
    "write max_connections",
    platform_postgres={"max_conections": 100},
)
entry(
    "text_for_a_number",
    "services.users.instances",
    '"2" is not a whole number',
    "without quotes",
    instances="2",
)
entry("boolean_for_a_number", "services.users.instances", "true is not", "whole number", instances=True)
entry("text_for_a_list", "services.users.routes", "is not a list", "as in [a, b]", routes="/users/")
entry("list_for_a_mapping", "services.users.limits", "is not a mapping", "mapping", limits=["256M"])
entry("number_for_text", "services.users.wsgi", "5 is not text", "quote it", wsgi=5)
entry(
    "not_one_of", "services.users.ingress", '"apache" is not known', "'nginx' or 'haproxy'", ingress="apache"
)
variable(
    "version_without_quotes",
    "platform_postgres.failover_version",
    "2.2 is not text",
    "quote",
    platform_postgres={"failover_version": 2.2},
)
variable("name_missing", "platform_name", "is not text", "text", platform_name=None)


@case_of("services.digest.app", "is missing", "add it, as in app: apps/users")
def app_missing(case):
    del case.services["digest"]["app"]


@case_of("platform_secrets_dir", "is missing", 'platform_secrets_dir: "{{ inventory_dir }}/.secrets"')
def variable_missing(case):
    del case.platform["platform_secrets_dir"]


@case_of("platform_sites.msk.networks", "is missing", "networks: [192.0.2.0/24]")
def networks_missing(case):
    del case.platform["platform_sites"]["msk"]["networks"]


@case_of("services.users.secrets[1].name", "is missing", "name: session_key")
def secret_without_name(case):
    del case.services["users"]["secrets"][1]["name"]
    del case.services["order-mail"]["secrets"]


@case_of("services.digest", "is not a mapping", "mapping")
def entry_without_keys(case):
    case.services["digest"] = None


@case_of("services", "is not a mapping", "mapping")
def services_as_a_list(case):
    case.services = ["users"]


@case_of("hosts.msk-app1.platform_adress", "unknown key", "write platform_address")
def unknown_host_variable(case):
    case.hosts["msk-app1"]["platform_adress"] = "10.1.0.21"


# Names


def rename(case, name):
    case.services[name] = case.services.pop("digest")


@case_of("services.daily_digest", "not a DNS label", "a-z")
def service_with_an_underscore(case):
    rename(case, "daily_digest")


@case_of("services.mail-", "not a DNS label")
def service_that_ends_with_a_dash(case):
    rename(case, "mail-")


@case_of("services.a-name-with-21-letter", "21 characters", "at most 20")
def service_with_a_long_name(case):
    rename(case, "a-name-with-21-letter")


@case_of("services.public.database", "belongs to Postgres", "give the database a name")
def service_whose_database_would_be_reserved(case):
    rename(case, "public")


@case_of("services.getty", "unit", "another name")
def service_named_like_a_unit(case):
    rename(case, "getty")


@case_of("hosts.msk_app9", "not a DNS label", "NAME.example.org")
def host_with_an_underscore(case):
    case.add_host("msk_app9", "msk", "10.1.0.29", "app")


variable("platform_with_a_space", "platform_name", "not a DNS label", "a-z", platform_name="my lab")
variable("domain_of_one_label", "platform_domain", "not a DNS name", "with a dot", platform_domain="local")
variable(
    "public_name_with_a_scheme",
    "platform_public_names[0]",
    "not a DNS name",
    "",
    platform_public_names=["https://x.org"],
)
variable("no_public_name", "platform_public_names", "refused", "", platform_public_names=[])
variable(
    "relative_secrets_folder",
    "platform_secrets_dir",
    "relative",
    "inventory_dir",
    platform_secrets_dir="secrets",
)

# Ports


@case_of("services.order-mail.port", "5001 overlaps 5000..5001 of service users", "from 5002 on")
def overlapping_ports(case):
    case.services["order-mail"]["port"] = 5001


entry("port_too_low", "services.users.port", "80 is refused", "1024", port=80)
entry("port_too_high", "services.users.port", "65536 is refused", "65535", port=65536)
entry(
    "last_instance_too_high", "services.users.port", "65535..65536 ends above", "fewer instances", port=65535
)
entry(
    "port_of_the_door",
    "services.users.port",
    "7442..7443 contains 7443, the port of the hosts' doors",
    "another",
    port=7442,
)
entry(
    "port_of_the_router", "services.users.port", "8080, the port of the edges' routers", "another", port=8080
)
entry("port_of_the_database", "services.users.port", "5432, the port of Postgres", "another", port=5432)

# Routes and ingress


@case_of(
    "services.order-mail.routes[0]", '"/users" is claimed by service users already, as "/users/"', "longest"
)
def route_claimed_twice(case):
    case.services["order-mail"]["routes"] = ["/users"]


entry(
    "route_twice_in_one_service",
    "services.users.routes[1]",
    "by this service already",
    "keep",
    routes=["/u", "/u/"],
)
entry("route_without_slash", "services.users.routes[0]", "not a path", "/cart", routes=["users/"])
entry("route_with_a_query", "services.users.routes[0]", "not a path", "", routes=["/users/?a=b"])
entry("route_that_climbs", "services.users.routes[0]", "not a path", "", routes=["/users/../admin"])
entry(
    "route_of_the_platform",
    "services.users.routes[0]",
    "platform's own",
    "",
    routes=["/.well-known/tandem/x"],
)
entry(
    "route_of_the_static_files", "services.users.routes[0]", "platform's own", "another", routes=["/static"]
)
entry("cached_path_without_slash", "services.users.cache[0]", "not a path", "/cart", cache=["users/"])
entry(
    "cached_path_of_no_route",
    "services.users.cache[0]",
    '"/user/" is below none of the service\'s routes (/users/)',
    "below",
    cache=["/user/"],
)
entry(
    "cached_path_above_the_route",
    "services.users.cache[0]",
    '"/users" is below none of the service\'s routes',
    "below",
    cache=["/users"],
)
entry(
    "cached_path_twice",
    "services.users.cache[1]",
    '"/users/a/" is named already, as "/users/a"',
    "keep one",
    cache=["/users/a", "/users/a/"],
)


@case_of("services.users.cache[0]", '"/mails/sent/" is served by order-mail', "in cache of order-mail")
def cached_path_of_another_service(case):
    case.services["users"] |= {"routes": ["/"], "cache": ["/mails/sent/"]}


@case_of("services.order-mail.cache", "needs NGINX", "write ingress: nginx")
def cache_behind_haproxy_alone(case):
    case.services["order-mail"] |= {"ingress": "haproxy", "cache": ["/mails"]}
    case.hosts["msk-edge1"]["platform_ingress_haproxy_address"] = "10.1.0.111"
    case.hosts["spb-edge1"]["platform_ingress_haproxy_address"] = "10.2.0.111"


@case_of("services.digest.cache", "needs a port", "add port")
def worker_with_a_cache(case):
    case.services["digest"]["cache"] = ["/digest/"]


entry("health_without_slash", "services.users.health", "not a path", "/health/ready", health="ready")
entry(
    "ingress_without_routes", "services.users.ingress", "no routes", "add routes", routes=[], ingress="nginx"
)


@case_of("services.users.ingress", "spb-edge1 has none", "platform_ingress_haproxy_address")
def ingress_haproxy_without_address(case):
    case.services["users"]["ingress"] = "haproxy"
    case.hosts["msk-edge1"]["platform_ingress_haproxy_address"] = "10.1.0.111"


@case_of("hosts.msk-edge1", "10.1.0.11 is already an address of msk-edge1", "of its own")
def ingress_haproxy_on_the_hosts_address(case):
    case.hosts["msk-edge1"]["platform_ingress_haproxy_address"] = "10.1.0.11"


# Apps and files

entry("app_missing_from_the_project", "services.users.app", "not there", "write apps/users", app="apps/user")


@case_of("services.users.app", "has no requirements.lock", "add requirements.lock")
def app_without_lock(case):
    del case.files["/project/apps/users/requirements.lock"]


@case_of("services.users.app", "has no pyproject.toml", "add pyproject.toml")
def app_without_pyproject(case):
    del case.files["/project/apps/users/pyproject.toml"]


@case_of("services.users.app", "does not have gunicorn", "or give the service a command")
def web_app_without_gunicorn(case):
    case.files["/project/apps/users/requirements.lock"] = "flask==3.1\ngunicorn-stats==1\n"


@case_of("services.users.database.init[1]", '"more/users.sql" is named like "sql/users.sql"', "rename")
def init_scripts_of_one_name(case):
    case.services["users"]["database"]["init"].append("more/users.sql")
    case.files["/project/more/users.sql"] = ""


@case_of("services.users.database.init[1]", "named like", "rename")
def init_script_twice(case):
    case.services["users"]["database"]["init"] *= 2


entry("wheel_missing", "services.users.app", "not there", "create it", app="dist/users-1-py3-none-any.whl")
entry(
    "env_file_missing", "services.users.env_file[0]", "not there", "write common.env", env_file=["comon.env"]
)
entry(
    "init_missing",
    "services.users.database.init[0]",
    "not there",
    "write sql/users.sql",
    database={"init": ["sql/user.sql"]},
)


@case_of("services.order-mail.env_file[0]", "line 2 of /project/common.env is not NAME=value")
def env_file_with_a_bad_line(case):
    case.files["/project/common.env"] = "export A=1\nB 2\n"


@case_of("services.order-mail.env_file[0]", "sets USERS_URL", "rename")
def env_file_with_a_derived_name(case):
    case.files["/project/common.env"] = "USERS_URL=http://elsewhere\n"


@case_of("platform_edge_certificate.key", "not there", "null")
def edge_certificate_without_key(case):
    case.platform["platform_edge_certificate"] = {"certificate": "a.pem", "key": "a.key"}
    case.files["/project/a.pem"] = ""


# Placement

entry("unknown_group", "services.users.hosts", '"apps" is not an inventory group', "write app", hosts="apps")


@case_of("services.users.hosts", "no host of the platform", "add hosts")
def group_without_hosts(case):
    case.groups["mailers"] = []
    case.services["users"]["hosts"] = "mailers"


@case_of("services.users.hosts", "no host of the platform", "add hosts")
def group_outside_the_platform(case):
    case.services["users"]["hosts"] = "outside"


@case_of(
    "services.users.hosts", "msk-data1, spb-data1 of group data are not in group app", "child of group app"
)
def group_without_doors(case):
    case.services["users"]["hosts"] = "data"


# References between services

entry(
    "unknown_call", "services.users.calls[0]", "not in the catalog", "write order-mail", calls=["order-mails"]
)
entry("call_to_itself", "services.users.calls[0]", "calls itself", "remove", calls=["users"])
entry(
    "call_to_a_worker",
    "services.users.calls[0]",
    "digest has no port",
    "give digest a port",
    calls=["digest"],
)
entry("call_twice", "services.users.calls[1]", "twice", "remove one", calls=["order-mail", "order-mail"])
entry(
    "unknown_dependency",
    "services.users.depends_on[0]",
    "not known",
    "write postgres",
    depends_on=["postgre"],
)


@case_of("services.users.depends_on", "users -> order-mail -> users", "calls")
def cycle(case):
    case.services["users"]["depends_on"] = ["order-mail"]


@case_of(
    "services.digest.database.name", '"users" needs the role users, which service users has', "of its own"
)
def one_database_for_two(case):
    case.services["digest"]["database"]["name"] = "users"


@case_of("services.digest.database.name", "needs the role users_owner", "of its own")
def database_named_like_a_role(case):
    case.services["digest"]["database"]["name"] = "users_owner"


def public_half(case, path):
    case.services["order-mail"]["secrets"] = [{"name": "jwt_public", "public_of": path}]


@case_of("services.order-mail.secrets[0].public_of", "no service's secret", "write users/jwt_key")
def public_half_of_nothing(case):
    public_half(case, "users/jwt_kye")


@case_of("services.order-mail.secrets[0].public_of", "is random and has no public half", "kind: ec-p256")
def public_half_of_a_random_secret(case):
    public_half(case, "users/session_key")


# Values of one entry

entry(
    "bad_database_name",
    "services.users.database.name",
    "not a database name",
    "a letter first",
    database={"name": "7up"},
)
entry(
    "database_of_postgres",
    "services.users.database.name",
    "belongs to",
    "another",
    database={"name": "template1"},
)
entry(
    "database_of_the_platform",
    "services.users.database.name",
    "belongs to",
    "another",
    database={"name": "pg_x"},
)
entry(
    "environment_of_the_platform",
    "services.users.environment.DATABASE_DSN",
    "set by the platform",
    "rename",
    environment={"DATABASE_DSN": "x"},
)
entry(
    "environment_of_valkey",
    "services.users.environment.VALKEY_HOST",
    "set by the platform",
    "remove it",
    valkey=True,
    environment={"VALKEY_HOST": "x"},
)


@case_of("services.default.valkey", "Valkey's own user", "another name")
def valkey_for_a_service_called_default(case):
    case.services["default"] = {"app": "default==1", "hosts": "app", "command": ["run"], "valkey": True}


entry("valkey_without_true", "services.users.valkey", "", "true", valkey="6379")
entry(
    "environment_common",
    "services.users.environment.SITE",
    "set by the platform",
    "rename",
    environment={"SITE": "x"},
)
entry(
    "environment_port",
    "services.users.environment.PORT",
    "set by the platform",
    "rename",
    environment={"PORT": 1},
)
entry(
    "environment_tandem",
    "services.users.environment.TANDEM_X",
    "set by the platform",
    "rename",
    environment={"TANDEM_X": "x"},
)
entry(
    "environment_name",
    "services.users.environment.A-B",
    "not a variable's name",
    "letters",
    environment={"A-B": "x"},
)
entry(
    "environment_list",
    "services.users.environment.A",
    "is neither text",
    "one value",
    environment={"A": ["x"]},
)
entry(
    "environment_lines", "services.users.environment.A", "several lines", "secret", environment={"A": "x\ny"}
)
entry(
    "relative_volume", "services.users.volumes[0]", "not a volume", "absolute", volumes=["branding:/branding"]
)
entry("volume_mode", "services.users.volumes[0]", "not a volume", ":rw", volumes=["/a:/b:rx"])
entry(
    "volume_over_the_system",
    "services.users.volumes[0]",
    "hides /etc/tandem",
    "/srv/name",
    volumes=["/a:/etc/tandem"],
)
entry("bad_restart", "services.users.restart", "not a restart policy", "on-failure:N", restart="sometimes")
entry("bad_memory", "services.users.limits.memory", "not a size", "256M", limits={"memory": "256MB"})
entry("bad_cpu", "services.users.limits.cpu", "not a share", "50%", limits={"cpu": "0.5"})
entry("bad_log_size", "services.users.logging.max_size", "not a size", "256M", logging={"max_size": "huge"})
entry("bad_wsgi", "services.users.wsgi", "not a WSGI", "users.wsgi:app", wsgi="users/wsgi.py")
entry("unknown_manager", "services.users.manager", "runit", "supervisord", manager="runit")
entry(
    "command_beside_wsgi",
    "services.users.wsgi",
    "beside command",
    "one of the two",
    command=["users"],
    wsgi="users.wsgi:app",
)
entry(
    "command_beside_threads", "services.users.threads", "gunicorn's", "remove", command=["users"], threads=4
)
entry("empty_command", "services.users.command", "empty", "console script", command=[])
entry("relative_command", "services.users.command", "relative path", "absolute", command=["bin/users"])
entry(
    "secret_twice",
    "services.users.secrets[1]",
    "listed twice",
    "another name",
    secrets=["jwt_key", {"name": "jwt_key", "kind": "ec-p256"}],
)
entry(
    "secret_name", "services.users.secrets[1].name", "not a secret's name", "a-z", secrets=["jwt_key", "Key"]
)


@case_of("services.digest.secrets[0].name", "platform's own credential", "another")
def secret_of_the_platform(case):
    case.services["digest"]["secrets"] = ["database_password"]


@case_of("services.digest.secrets[0].name", "platform's own credential", "another")
def secret_named_like_valkeys_password(case):
    case.services["digest"]["secrets"] = ["valkey_password"]


@case_of("services.order-mail.secrets[0]", "both kind and public_of", "remove kind")
def secret_of_two_kinds(case):
    case.services["order-mail"]["secrets"][0]["kind"] = "ec-p256"


@case_of("services.digest", "neither port nor command", "a worker a command")
def neither_port_nor_command(case):
    del case.services["digest"]["command"]


@case_of("services.digest.routes", "needs a port", "add port")
def worker_with_a_route(case):
    case.services["digest"]["routes"] = ["/digest/"]


# Hosts and sites


@case_of("hosts.msk-app1.platform_site", "is missing", "msk, spb, wit")
def site_missing(case):
    del case.hosts["msk-app1"]["platform_site"]


@case_of("hosts.msk-app1.platform_site", '"mks" is not in platform_sites', "write msk")
def unknown_site(case):
    case.hosts["msk-app1"]["platform_site"] = "mks"


@case_of("hosts.spb-app1", "10.2.0.11 is already an address of spb-edge1", "of its own")
def address_twice(case):
    case.hosts["spb-app1"]["ansible_host"] = "10.2.0.11"


@case_of("hosts.msk-app1", "fd01::11 is already an address of msk-edge1", "of its own")
def address6_twice_in_another_spelling(case):
    case.hosts["msk-app1"]["platform_address6"] = "fd01:0::11"


@case_of(
    "hosts.msk-app1.platform_address",
    "10.2.0.99 is in none of the networks of site msk",
    "platform_sites.msk",
)
def address_of_another_site(case):
    case.hosts["msk-app1"]["ansible_host"] = "10.2.0.99"


@case_of("hosts.msk-app1.platform_address6", "fd02::21 is in none of the networks", "platform_sites.msk")
def address6_of_another_site(case):
    case.hosts["msk-app1"]["platform_address6"] = "fd02::21"


@case_of("hosts.msk-app1.ansible_host", '"app1.example.org" is not an IPv4 address', "set platform_address")
def name_for_an_address(case):
    case.hosts["msk-app1"]["ansible_host"] = "app1.example.org"


@case_of("hosts.msk-app1.platform_address", "is missing", "ansible_host")
def address_missing(case):
    del case.hosts["msk-app1"]["ansible_host"]


@case_of("hosts.msk-app1.platform_address6", "is not an IPv6 address", "IPv6")
def address6_of_version_4(case):
    case.hosts["msk-app1"]["platform_address6"] = "10.1.0.21"


@case_of("platform_sites.spb.networks", "10.1.0.128/25 overlaps 10.1.0.0/24 of site msk", "of its own")
def overlapping_sites(case):
    case.platform["platform_sites"]["spb"]["networks"].append("10.1.0.128/25")


@case_of("platform_sites.spb.networks[0]", "not a network", "192.0.2.0/24")
def network_with_host_bits(case):
    case.platform["platform_sites"]["spb"]["networks"] = ["10.2.0.1/24"]


@case_of("platform_sites.Spb", "not a DNS label", "a-z")
def site_with_a_capital(case):
    case.platform["platform_sites"]["Spb"] = {"networks": ["10.9.0.0/24"]}


@case_of("hosts.msk-app2", "in group app but not in group platform", "child of group platform")
def class_outside_the_platform(case):
    case.groups["app"].append("msk-app2")


# The witness and the database


@case_of("platform_sites", "2 sites with witness: true (third, wit)", "exactly one")
def two_witness_sites(case):
    case.platform["platform_sites"]["third"] = {"networks": ["10.9.0.0/24"], "witness": True}


@case_of("group witness", "has 0 hosts", "one host on the witness site")
def no_witness_host(case):
    case.groups["witness"] = []
    case.groups["obs"].append("wit1")


@case_of("group witness", "has 2 hosts (wit1, wit2)", "one host")
def two_monitors(case):
    case.add_host("wit2", "wit", "10.3.0.12", "witness")


@case_of("hosts.wit1", "is in app on the witness site wit", "datacenter")
def app_on_the_witness_site(case):
    case.groups["app"].append("wit1")


@case_of("group data", "has 1 host (msk-data1)", "two hosts")
def one_data_node(case):
    case.groups["data"] = ["msk-data1"]
    case.groups["obs"].append("spb-data1")


@case_of("group data", "with three, a failover of pg_auto_failover 2.2 can crash", "keep two")
def three_data_nodes(case):
    case.platform["platform_sites"]["ekb"] = {"networks": ["10.4.0.0/24"]}
    case.add_host("ekb-all1", "ekb", "10.4.0.31", "data", "edge", "app")


@case_of("group data", "not tested with pg_auto_failover 2.3", "keep two")
def three_data_nodes_of_a_later_version(case):
    three_data_nodes(case)
    case.platform["platform_postgres"]["failover_version"] = "2.3"


@case_of("group data", "2 voters in site msk (msk-data1, msk-data2)", "one voter per site")
def two_data_nodes_in_one_site(case):
    case.groups["data"].remove("spb-data1")
    case.groups["obs"].append("spb-data1")
    case.add_host("msk-data2", "msk", "10.1.0.32", "data")


@case_of(
    "platform_postgres.max_connections",
    "41 is less than 42: pool x instances x hosts (users 5 x 2 x 2 = 20 + digest 5 x 1 x 2 = 10) + super",
    "raise it to 42",
)
def pools_beyond_the_database(case):
    case.platform["platform_postgres"]["max_connections"] = 41


variable(
    "postgres_16", "platform_postgres.version", "16 is not supported", "17", platform_postgres={"version": 16}
)
variable(
    "bad_buffers",
    "platform_postgres.shared_buffers",
    "not a size",
    "512MB",
    platform_postgres={"shared_buffers": "1G"},
)

# Timeouts

variable(
    "unknown_profile", "platform_timeouts", '"fats" is not a profile', "write fast", platform_timeouts="fats"
)
variable("profile_as_a_number", "platform_timeouts", "is not a mapping", "", platform_timeouts=5)
variable(
    "timeouts_without_profile",
    "platform_timeouts.profile",
    "missing",
    "add",
    platform_timeouts={"postgres": {}},
)
variable(
    "unknown_timeout",
    "platform_timeouts.postgres.wal_sender_timeout",
    "unknown key",
    "write wal_sender_timeout_ms",
    platform_timeouts={"profile": "fast", "postgres": {"wal_sender_timeout": 1}},
)
variable(
    "unsafe_timeouts",
    "platform_timeouts.postgres",
    "wal_sender_timeout 4000 + network_partition_timeout 3000 + slack 1000 = 8000 ms, not before",
    "smaller",
    platform_timeouts={"profile": "fast", "postgres": {"wal_sender_timeout_ms": 4000}},
)

# The gateway

TOKENS = {"keys_of": "users/jwt_key", "issuer": "trial-users", "audience": "trial-shop"}
RATE = {"requests": 10, "per": 60}


def gateway(name, where, what, cure, **keys):
    """Register a value of platform_gateway; `where` is the key below it."""
    variable(f"gateway_{name}", f"platform_gateway{where}", what, cure, platform_gateway=keys)


variable(
    "gateway_as_a_list",
    "platform_gateway",
    "is not a mapping",
    "write a mapping",
    platform_gateway=["tokens"],
)
gateway("unknown_key", ".token", "unknown key", "write tokens", token=TOKENS)
gateway("unknown_token_key", ".tokens.isuer", "unknown key", "write issuer", tokens=TOKENS | {"isuer": "x"})
gateway(
    "tokens_without_issuer",
    ".tokens.issuer",
    "is missing",
    "as in issuer: tandem-users",
    tokens={key: value for key, value in TOKENS.items() if key != "issuer"},
)
gateway(
    "tokens_without_audience",
    ".tokens.audience",
    "is missing",
    "as in audience: tandem-shop",
    tokens={key: value for key, value in TOKENS.items() if key != "audience"},
)
gateway(
    "tokens_without_keys",
    ".tokens.keys_of",
    "is missing",
    "as in keys_of: users/jwt_key",
    tokens={key: value for key, value in TOKENS.items() if key != "keys_of"},
)
gateway(
    "issuer_that_haproxy_would_misread",
    ".tokens.issuer",
    "'our users' can not be compared",
    "letters, digits",
    tokens=TOKENS | {"issuer": "our users"},
)
gateway(
    "empty_audience", ".tokens.audience", "'' can not be compared", "letter", tokens=TOKENS | {"audience": ""}
)
gateway("no_keys", ".tokens.keys_of", "names 0 keys", "name 1 to 8", tokens=TOKENS | {"keys_of": []})
gateway(
    "unknown_key_of",
    ".tokens.keys_of",
    '"users/jwt_kye" is no service\'s secret',
    "write users/jwt_key",
    tokens=TOKENS | {"keys_of": "users/jwt_kye"},
)
gateway(
    "unknown_second_key",
    ".tokens.keys_of[1]",
    "no service's secret",
    "one of users/jwt_key",
    tokens=TOKENS | {"keys_of": ["users/jwt_key", "zzz/0"]},
)
gateway(
    "public_half_as_a_key",
    ".tokens.keys_of",
    "no service's secret",
    "one of users/jwt_key",
    tokens=TOKENS | {"keys_of": "order-mail/jwt_public"},
)
gateway(
    "random_key",
    ".tokens.keys_of",
    "is random and signs no tokens",
    "kind: ec-p256",
    tokens=TOKENS | {"keys_of": "users/session_key"},
)
gateway(
    "key_twice",
    ".tokens.keys_of[1]",
    "is there twice",
    "remove one",
    tokens=TOKENS | {"keys_of": ["users/jwt_key", "users/jwt_key"]},
)
gateway("unknown_limit", ".limits.adress", "unknown key", "write address", limits={"adress": RATE})
gateway(
    "limit_without_period",
    ".limits.address.per",
    "is missing",
    "as in per: 10",
    limits={"address": {"requests": 5}},
)
gateway(
    "limit_as_text",
    ".limits.address.requests",
    '"5" is not a whole number',
    "without quotes",
    limits={"address": {"requests": "5", "per": 1}},
)
gateway(
    "limit_of_nothing",
    ".limits.address.requests",
    "0 is refused",
    "greater than or equal to 1",
    limits={"address": {"requests": 0, "per": 1}},
)
gateway(
    "limit_too_high",
    ".limits.address.requests",
    "1000001 is refused",
    "less than or equal to 1000000",
    limits={"address": {"requests": 1_000_001, "per": 1}},
)
gateway(
    "period_of_nothing",
    ".limits.address.per",
    "0 is refused",
    "greater than or equal to 1",
    limits={"address": {"requests": 1, "per": 0}},
)
gateway(
    "period_of_a_day",
    ".clients.partner.per",
    "86400 is refused",
    "less than or equal to 3600",
    clients={"partner": {"requests": 1, "per": 86400}},
)
gateway(
    "period_that_is_true",
    ".clients.partner.per",
    "true is not a whole number",
    "without quotes",
    clients={"partner": {"requests": 1, "per": True}},
)
gateway(
    "unknown_key_of_a_client",
    ".clients.partner.request",
    "unknown key",
    "write requests",
    clients={"partner": RATE | {"request": 1}},
)
gateway(
    "client_without_a_quota",
    ".clients.partner",
    "is not a mapping",
    "write a mapping",
    clients={"partner": None},
)
gateway(
    "client_name", ".clients.Partner A", "is not a client's name", "partner-a", clients={"Partner A": RATE}
)
gateway("clients_as_a_list", ".clients", "is not a mapping", "write a mapping", clients=["partner"])
gateway(
    "subject_limit_without_tokens",
    ".limits.subject",
    "needs tokens",
    "add platform_gateway.tokens",
    limits={"subject": RATE},
)
gateway(
    "too_many_clients",
    ".clients",
    "has 1001 clients",
    "at most 1000",
    clients={f"partner-{number}": RATE for number in range(1001)},
)
gateway(
    "too_many_keys",
    ".tokens.keys_of",
    "names 9 keys",
    "name 1 to 8",
    tokens=TOKENS | {"keys_of": [f"users/key_{number}" for number in range(9)]},
)


# Package sources

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n"
SOURCE = {
    "name": "shop",
    "uris": ["https://apt.example.org/shop"],
    "suites": ["stable"],
    "components": ["main"],
    "signed_by": KEY,
    "packages": ["loki"],
}


def source(case_name, key, what, cure, **keys):
    """Register a change of some keys of a sound package source."""
    where = f"platform_apt_repositories[0]{key}"
    variable(case_name, where, what, cure, platform_apt_repositories=[SOURCE | keys])


source("unknown_key_of_a_source", ".uri", "unknown key", "write uris", uri="x")
source("source_named_with_a_blank", ".name", "not a name for files", "a-z", name="the shop")
source(
    "source_of_files",
    ".uris[0]",
    "not an address of a repository",
    "https://HOST/PATH",
    uris="file:///srv/apt",
)
source("source_without_an_address", ".uris", "[] is refused", "at least 1", uris=[])
source(
    "source_with_a_password",
    ".uris[0]",
    "holds a user or a password",
    "leave it out",
    uris="https://u:p@apt.example.org/",
)
source("suite_with_a_blank", ".suites[0]", "is not a suite", "stable", suites="stable main")
source("component_with_a_blank", ".components[0]", "is not a component", "main", components="main contrib")
source("source_of_a_pattern", ".packages[0]", "is not a package's name", "whole names", packages=["graf*"])
source("source_of_no_package", ".packages", "[] is refused", "at least 1", packages=[])
source("pin_that_removes", ".pin", "is refused", "greater than or equal to 1", pin=-1)
source("origin_of_debian", ".origin", "not the origin", "Release file", origin="Debian")
source("folder_with_components", ".components", "beside suite ./", "leave components out", suites=["./"])
source(
    "suite_without_components", ".components", "suite stable needs it", "components: [main]", components=[]
)
source("key_that_is_not_there", ".signed_by", "/project/shop.asc", "make packages", signed_by="shop.asc")
source(
    "key_that_is_binary",
    ".signed_by",
    "not a public key in text form",
    "gpg --enarmor",
    signed_by="common.env",
)
source(
    "private_key",
    ".signed_by",
    "holds a private key",
    "gpg --armor --export",
    signed_by=KEY + "-----BEGIN PGP PRIVATE KEY BLOCK-----",
)


@case_of(
    "platform_apt_repositories[1].name", "is also the name of platform_apt_repositories[0]", "of its own"
)
def two_sources_of_a_name(case):
    case.platform["platform_apt_repositories"] = [SOURCE, SOURCE | {"packages": ["promtail"]}]


# Metrics


def prometheus(name, where, what, cure, **keys):
    """Register settings of Prometheus."""
    variable(name, f"platform_prometheus{where}", what, cure, platform_prometheus=keys)


variable(
    "observability_that_is_text",
    "platform_observability",
    "is not true or false",
    "without quotes",
    platform_observability="no",
)
prometheus("unknown_key_of_prometheus", ".retention", "unknown key", "write retention_time", retention="30d")
prometheus("retention_time", ".retention_time", "is not a duration", "as in 30d", retention_time="30 days")
prometheus("no_retention_time", ".retention_time", "is not a duration", "as in 30d", retention_time="")
prometheus("retention_size", ".retention_size", "is not a size", "as in 10GB", retention_size="10 gigabytes")
prometheus("probe_of_an_address", ".probes[0]", "is not a path", "/products/", probes=["https://shop/"])
prometheus("no_probes", ".probes", "is refused", "at least 1 item", probes=[])
prometheus("no_runbooks", ".runbooks_url", "is refused", "at least 1 character", runbooks_url="")
prometheus(
    "scrape_without_a_name", ".scrape_configs[0].job_name", "is missing", "job_name", scrape_configs=[{}]
)
prometheus(
    "scrape_of_the_platforms_name",
    ".scrape_configs[0].job_name",
    "node is the platform's own",
    "choose another",
    scrape_configs=[{"job_name": "node"}],
)
prometheus(
    "scrape_twice",
    ".scrape_configs[1].job_name",
    "mine is there twice",
    "its own job_name",
    scrape_configs=[{"job_name": "mine"}, {"job_name": "mine"}],
)
prometheus(
    "secret_of_a_scrape",
    ".scrape_configs[0].basic_auth.password",
    "is a secret",
    "write password_file",
    scrape_configs=[{"job_name": "mine", "basic_auth": {"username": "me", "password": "s3cret"}}],
)
prometheus("remote_without_address", ".remote_write[0].url", "is missing", "https://", remote_write=[{}])
prometheus(
    "remote_address",
    ".remote_write[0].url",
    "is not an address",
    "https://",
    remote_write=[{"url": "metrics.example.org"}],
)
prometheus(
    "remote_address_with_a_password",
    ".remote_write[0].url",
    "has a password in it",
    "password_file",
    remote_write=[{"url": "https://me:s3cret@metrics.example.org/write"}],
)
prometheus(
    "secret_of_a_remote",
    ".remote_write[0].authorization.credentials",
    "is a secret",
    "write credentials_file",
    remote_write=[{"url": "https://metrics.example.org/write", "authorization": {"credentials": "s3cret"}}],
)
prometheus(
    "rules_that_are_not_yaml", ".rule_files[0]", "is not a YAML file", ".yml", rule_files=["common.env"]
)
prometheus(
    "rules_that_are_not_there", ".rule_files[0]", "is not there", "put the file there", rule_files=["a.yml"]
)


@case_of("platform_prometheus.rule_files[1]", "has the same file name", "rename one")
def rules_of_one_name(case):
    case.files |= {"/project/a/x.yml": "", "/project/b/x.yml": ""}
    case.platform["platform_prometheus"] = {"rule_files": ["a/x.yml", "b/x.yml"]}


@pytest.mark.parametrize("name", CASES)
def test_is_refused(case, name):
    change, where, what, cure = CASES[name]
    change(case)
    derivation = case.derive()
    assert derivation.platform is None
    (problem,) = derivation.problems
    assert problem.where == where
    assert what in problem.what
    assert cure in problem.cure
    assert problem.cure
