"""Parts, events and timers: what must be refused (with key, value and cure), and what must be accepted."""

import pytest

BAD, GOOD = {}, {}


def bad(name, entry, where, what, cure, **keys):
    """Register a change of one of the shop's entries that must give exactly one problem."""

    def change(shop):
        shop.services[entry] |= keys

    assert name not in BAD
    BAD[name] = (change, where, what, cure)


def bad_case(where, what, cure):
    """Register a change of the shop that must give exactly one problem."""

    def register(change):
        assert change.__name__ not in BAD
        BAD[change.__name__] = (change, where, what, cure)
        return change

    return register


def good(change):
    GOOD[change.__name__] = change
    return change


# Parts

part = "services.orders-events"

bad(
    "part_of_nothing",
    "orders-events",
    f"{part}.part_of",
    '"order" is not in',
    "write orders",
    part_of="order",
)
bad("part_of_a_number", "orders-events", f"{part}.part_of", "5 is not text", "quote", part_of=5)
bad("part_of_itself", "digest", "services.digest.part_of", "the entry itself", "name", part_of="digest")
bad(
    "part_of_a_part",
    "digest",
    "services.digest.part_of",
    "orders-events is itself part of orders",
    "write orders",
    part_of="orders-events",
)
bad("part_with_an_app", "orders-events", f"{part}.app", "release of orders", "own", app="orders==2")
bad("part_with_a_port", "orders-events", f"{part}.port", "beside part_of", "remove port", port=5050)
bad("part_with_routes", "orders-events", f"{part}.routes", "beside part_of", "remove", routes=["/x"])
bad("part_with_a_cache", "orders-events", f"{part}.cache", "beside part_of", "remove", cache=["/x"])
bad("part_with_an_ingress", "orders-events", f"{part}.ingress", "beside", "remove", ingress="nginx")
bad("part_with_health", "orders-events", f"{part}.health", "beside part_of", "remove", health="/x")
bad("part_with_wsgi", "orders-events", f"{part}.wsgi", "beside part_of", "remove", wsgi="a:b")
bad("part_with_threads", "orders-events", f"{part}.threads", "beside part_of", "remove", threads=2)
bad("part_without_command", "orders-events", part, "has no command", "add the command", command=None)
for key, value in {"name": "x", "migrate": ["x"], "init": ["x.sql"], "init_command": ["x"]}.items():
    bad(
        f"part_with_database_{key}",
        "orders-events",
        f"{part}.database.{key}",
        "is said by orders",
        "a pool of its own",
        database={key: value},
    )
bad(
    "part_with_an_unknown_key_of_a_database",
    "orders-events",
    f"{part}.database.pol",
    "unknown key",
    "write pool",
    database={"pol": 2},
)
bad("part_with_an_unknown_key", "orders-events", f"{part}.comand", "unknown key", "write command", comand=[])
bad(
    "part_that_calls_its_sibling",
    "orders-events",
    f"{part}.calls[0]",
    "service orders-relay has no port",
    "write orders, or remove",
    calls=["orders-relay"],
)
bad(
    "part_whose_secret_is_another_kind",
    "orders-events",
    f"{part}.secrets[0]",
    '"cart_key" is something else in orders',
    "in the same way",
    secrets=[{"name": "cart_key", "kind": "ec-p256"}],
)


@bad_case("services.products-import.database", "products has no database", "add database to products")
def part_with_a_pool_of_no_database(shop):
    del shop.services["products"]["database"]
    shop.services["products-import"] = {
        "part_of": "products",
        "command": ["products", "import"],
        "database": {"pool": 2},
    }


@bad_case(f"{part}-and-more-letters1", "the name has 31 characters", "at most 26")
def part_with_a_long_name(shop):
    shop.services["orders-events-and-more-letters1"] = shop.services.pop("orders-events")


@bad_case("services.a-name-with-21-letter", "21 characters", "at most 20")
def publisher_with_a_long_name(shop):
    shop.services["a-name-with-21-letter"] = shop.services.pop("order-processing")


@bad_case("services.orders.depends_on", "orders -> orders-events -> orders", "remove one")
def parent_that_waits_for_its_part(shop):
    shop.services["orders"]["depends_on"] = ["orders-events"]


@bad_case("services_override.orders-events.part_of", '"odrers" is not in the catalog', "write orders")
def part_of_an_override(shop):
    shop.override = {"orders-events": {"part_of": "odrers"}}


@bad_case("services.audit.environment.BROKER_USER", "set by the platform", "rename")
def variable_that_only_the_part_is_told(shop):
    shop.services["audit"]["environment"] = {"BROKER_USER": "x"}


@bad_case("services.epmd", "name of a unit", "another name")
def service_named_like_rabbitmqs_own(shop):
    shop.services["epmd"] = shop.services.pop("products")
    for name in ("orders", "order-processing"):
        shop.services[name] |= {"calls": [], "depends_on": []}


# Events

bad(
    "event_without_a_dot",
    "users",
    "services.users.publishes[3]",
    "'registered' is not an event's name",
    "as in order.created",
    publishes=["user.registered", "user.logged_in", "user.login_failed", "registered"],
)
bad(
    "event_in_capitals",
    "audit-events",
    "services.audit-events.consumes.Order.Paid",
    "not an event's name",
    "lower case",
    consumes=["Order.Paid"],
)
bad(
    "event_of_rabbitmq",
    "users",
    "services.users.publishes[0]",
    "RabbitMQ's own",
    "another name",
    publishes=["amq.fanout"],
)
bad(
    "event_with_a_long_name",
    "users",
    "services.users.publishes[0]",
    "not an event's name",
    "at most 100",
    publishes=["user." + "x" * 96],
)
bad(
    "event_twice",
    "orders",
    "services.orders.publishes[2]",
    '"order.created" is listed twice',
    "remove one",
    publishes=["order.created", "order.cancelled", "order.created"],
)
bad(
    "consumed_twice_in_a_list",
    "notifications",
    "services.notifications.consumes",
    '"order.paid" is listed twice',
    "remove one",
    consumes=["order.paid", "order.paid"],
)
bad(
    "consumes_as_text",
    "notifications",
    "services.notifications.consumes",
    "is not a mapping",
    "write a mapping",
    consumes="order.paid",
)
bad(
    "unknown_key_of_a_consumer",
    "notifications",
    "services.notifications.consumes.order.paid.retry",
    "unknown key",
    "write retries",
    consumes={"order.paid": {"retry": 1}},
)
bad(
    "too_many_retries",
    "notifications",
    "services.notifications.consumes.order.paid.retries",
    "101 is refused",
    "100",
    consumes={"order.paid": {"retries": 101}},
)
bad(
    "queue_of_no_length",
    "notifications",
    "services.notifications.consumes.order.paid.max_length",
    "0 is refused",
    "1",
    consumes={"order.paid": {"max_length": 0}},
)
bad(
    "queue_per_host",
    "notifications",
    "services.notifications.consumes.order.paid.per",
    '"host" is not known',
    "'platform' or 'site'",
    consumes={"order.paid": {"per": "host"}},
)
bad(
    "consumer_of_what_nobody_publishes",
    "notifications",
    "services.notifications.consumes.order.payed",
    'nobody publishes "order.payed"',
    "write order.p",
    consumes=["order.payed"],
)
bad(
    "consumer_of_nothing_near",
    "notifications",
    "services.notifications.consumes.stock.zzz",
    "nobody publishes",
    "write one of order.cancelled",
    consumes=["stock.zzz"],
)
bad(
    "event_of_two_services",
    "order-processing",
    "services.order-processing.publishes[4]",
    '"order.created" is published by orders already',
    "another name",
    publishes=["order.paid", "order.packed", "order.shipped", "order.rejected", "order.created"],
)
bad(
    "event_of_a_part_alone",
    "orders-events",
    "services.orders-events.publishes[0]",
    '"order.changed" is none of the events that orders publishes (order.cancelled, order.created)',
    "in publishes of orders",
    publishes=["order.changed"],
)
bad(
    "two_consumers_in_one_service",
    "digest",
    "services.digest.consumes.order.paid",
    "consumed by notifications, for the same service notifications",
    "keep one",
    consumes=["order.paid"],
    schedule=None,
    missed=None,
    timeout=None,
)
bad(
    "consumer_that_serves_requests",
    "audit",
    "services.audit.consumes",
    "beside a port",
    "audit-events with part_of: audit",
    consumes=["order.paid"],
)


@bad_case("services.users.publishes[1]", 'nobody consumes "user.logged_in"', "add a consumer")
def event_that_nobody_consumes(shop):
    shop.services["audit-events"]["consumes"].remove("user.logged_in")


@bad_case("services.mailer.publishes", "needs a database, in which events wait", "add database")
def publisher_without_a_database(shop):
    shop.services["mailer"] = {
        "app": "mailer==1",
        "hosts": "app",
        "command": ["mailer"],
        "publishes": ["mail.sent"],
    }


@bad_case("services.mailer.consumes", "needs a database, in which what was consumed", "add database")
def consumer_without_a_database(shop):
    shop.services["mailer"] = {
        "app": "mailer==1",
        "hosts": "app",
        "command": ["mailer"],
        "consumes": ["order.paid"],
    }


@bad_case("services.orders-relay.part_of", "has the name of the process that sends", "part_of: orders")
def another_service_named_like_a_relay(shop):
    shop.services["orders-relay"] = {"app": "relay==1", "hosts": "app", "command": ["relay"]}


@bad_case("services.orders.secrets[2].name", "platform's own credential", "another name")
def secret_of_the_broker(shop):
    shop.services["orders"]["secrets"].append("broker_password")


@bad_case("services_override.notifications.consumes.order.sold", "nobody publishes", "write order")
def consumer_of_an_override(shop):
    shop.override = {"notifications": {"consumes": {"order.sold": {}}}}
    shop.services["notifications"]["consumes"] = {"order.paid": {}}


def password_generation(name, value, what, cure):
    def change(shop):
        shop.platform["platform_rabbitmq"] = {"password_generation": value}

    BAD[name] = (change, "platform_rabbitmq.password_generation", what, cure)


password_generation("no_generation", 0, "0 is refused", "1")
password_generation("generation_as_text", "2", '"2" is not a whole number', "without quotes")


@bad_case("platform_rabbitmq.password_genration", "unknown key", "write password_generation")
def unknown_key_of_rabbitmq(shop):
    shop.platform["platform_rabbitmq"] = {"password_genration": 2}


@bad_case("platform_timeouts.rabbitmq.heartbeat", "unknown key", "write heartbeat_s")
def unknown_timeout_of_rabbitmq(shop):
    shop.platform["platform_timeouts"] = {"profile": "fast", "rabbitmq": {"heartbeat": 1}}


@bad_case("platform_timeouts.rabbitmq.net_tick_time_s", "1 is refused", "4")
def tick_time_too_short(shop):
    shop.platform["platform_timeouts"] = {"profile": "fast", "rabbitmq": {"net_tick_time_s": 1}}


# Timers

timer = "services.digest"

bad(
    "bad_schedule",
    "digest",
    f"{timer}.schedule",
    '"*-*-* 25:00:00" is no schedule of systemd: "25" is no hour',
    "as in daily",
    schedule="*-*-* 25:00:00",
)
bad("schedule_of_two_lines", "digest", f"{timer}.schedule", "not a schedule", "as in", schedule="daily\nx=1")
bad("bad_timeout", "digest", f"{timer}.timeout", '"soon" is not a time span', "as in 15min", timeout="soon")
bad("timeout_too_long", "digest", f"{timer}.timeout", "is 172800 s", "1s to 24h", timeout="2d")
bad("bad_run_on", "digest", f"{timer}.run_on", '"all" is not known', "'every_host'", run_on="all")
bad("bad_missed", "digest", f"{timer}.missed", '"later" is not known', "'run' or 'skip'", missed="later")
bad("timer_with_instances", "digest", f"{timer}.instances", "beside schedule", "remove", instances=2)
bad("timer_with_restart", "digest", f"{timer}.restart", "beside schedule", "remove", restart="always")
bad("timer_that_consumes", "digest", f"{timer}.consumes", "beside schedule", "own", consumes=["order.packed"])
bad("timer_without_command", "digest", timer, "has no command", "add the command", command=None)
bad(
    "timer_with_a_port",
    "products",
    "services.products.port",
    "beside schedule: a timer serves no requests",
    "remove port",
    schedule="daily",
)
for key, value in {"run_on": "one_host", "missed": "run", "timeout": "1h"}.items():
    bad(
        f"{key}_without_a_schedule",
        "orders-events",
        f"{part}.{key}",
        "needs a schedule",
        "add schedule",
        **{key: value},
    )


@bad_case("services.sweep.schedule", "is for one of 2 hosts and needs a database", "run_on: every_host")
def one_run_without_a_place_for_its_lease(shop):
    shop.services["sweep"] = {
        "app": "sweep==1",
        "hosts": "app",
        "command": ["sweep"],
        "schedule": "daily",
    }


# What must be accepted


@good
def the_shop(shop):
    pass


@good
def part_that_publishes_less(shop):
    shop.services["orders-events"]["publishes"] = ["order.cancelled"]


@good
def part_that_consumes_its_own_services_event(shop):
    shop.services["orders-events"]["consumes"].append("order.created")


@good
def part_with_a_name_as_long_as_a_relays(shop):
    shop.services["events-of-26-letters-long1"] = shop.services.pop("orders-events")


@good
def relay_by_name_of_a_service_without_events(shop):
    shop.services["products-relay"] = {"app": "relay==1", "hosts": "app", "command": ["relay"]}


@good
def worker_with_a_port_and_a_command(shop):
    shop.services["order-processing"]["port"] = 5060


@good
def timer_of_every_host_without_a_database(shop):
    shop.services["sweep"] = {
        "app": "sweep==1",
        "hosts": "app",
        "command": ["sweep"],
        "schedule": "*:0/30",
        "run_on": "every_host",
    }


@good
def timer_on_one_host_only(shop):
    shop.groups["one"] = ["msk-app1"]
    shop.services["sweep"] = {
        "app": "sweep==1",
        "hosts": "one",
        "command": ["sweep"],
        "schedule": "Mon..Fri *-*-* 09:00:00 Europe/Moscow",
    }


@good
def timer_whose_restart_is_no(shop):
    shop.services["digest"]["restart"] = False  # a bare `no` in YAML


@good
def timeouts_of_ones_own(shop):
    shop.platform["platform_timeouts"] = {"profile": "normal", "rabbitmq": {"heartbeat_s": 8}}


@good
def services_that_wait_for_the_broker(shop):
    shop.services["notifications"]["depends_on"] = ["postgres", "rabbitmq"]


@good
def override_that_removes_a_consumer_and_its_event(shop):
    consumed = shop.services["audit-events"]["consumes"]
    shop.services["audit-events"]["consumes"] = {event: {} for event in consumed}
    shop.override = {
        "users": {"publishes": ["user.registered", "user.logged_in"]},
        "audit-events": {"consumes": {"user.login_failed": None}},
    }


@good
def part_that_names_its_services_secret_in_the_same_way(shop):
    shop.services["orders-events"]["secrets"] = [{"name": "cart_key", "kind": "random"}]


@pytest.mark.parametrize("name", BAD)
def test_is_refused(shop, name):
    change, where, what, cure = BAD[name]
    change(shop)
    derivation = shop.derive()
    assert derivation.platform is None
    (problem,) = derivation.problems
    assert problem.where == where
    assert what in problem.what
    assert cure in problem.cure


@pytest.mark.parametrize("name", GOOD)
def test_is_accepted(shop, name):
    GOOD[name](shop)
    derivation = shop.derive()
    assert derivation.problems == []
    assert derivation.platform is not None
