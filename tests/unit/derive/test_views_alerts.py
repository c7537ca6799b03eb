"""Who is told of alerts, and by what."""

import pytest

PROJECT = "/project"
EMAIL = {"to": "ops@example.org", "sender": "alerts@example.org", "smarthost": "mail.example.org:587"}


@pytest.fixture
def observed(case):
    case.add_host("msk-obs1", "msk", "10.1.0.41", "obs")
    case.add_host("spb-obs1", "spb", "10.2.0.41", "obs")
    return case


def promised(view):
    """The objectives that the rules get, by name."""
    (group,) = view["rules"]["groups"]
    assert {rule["record"] for rule in group["rules"]} == {"tandem_objective"}
    return {rule["labels"]["objective"]: rule["expr"] for rule in group["rules"]}


def test_one_manager_on_each_observer(observed):
    assert observed.platform_views["alerts"]["managers"] == [
        {"host": "msk-obs1", "address": "10.1.0.41", "url": "https://msk-obs1:9093"},
        {"host": "spb-obs1", "address": "10.2.0.41", "url": "https://spb-obs1:9093"},
    ]


def test_without_a_word_nobody_is_told_and_the_usual_is_promised(observed):
    view = observed.platform_views["alerts"]
    assert (view["email"], view["webhook"], view["dead_man"]) == (None, None, None)
    assert promised(view) == {
        "availability": "vector(0.999)",
        "latency": "vector(0.99)",
        "latency_seconds": "vector(0.5)",
    }


def test_receivers_with_full_paths(observed):
    observed.files |= {f"{PROJECT}/secret/smtp": "x", "/etc/hook": "y"}
    observed.platform["platform_alerts"] = {
        "email": EMAIL | {"user": "alerts", "password_file": "secret/smtp"},
        "webhook": {"url": "https://hooks.example.org/x", "token_file": "/etc/hook"},
        "dead_man": {"url": "https://dead.example.org/"},
        "objectives": {"availability": 99.95, "latency_seconds": 1},
    }
    view = observed.platform_views["alerts"]
    assert view["email"]["to"] == ["ops@example.org"]
    assert view["email"]["password_file"] == f"{PROJECT}/secret/smtp"
    assert view["email"]["require_tls"] is True
    assert view["webhook"] == {"url": "https://hooks.example.org/x", "token_file": "/etc/hook"}
    assert view["dead_man"] == {"url": "https://dead.example.org/", "token_file": None}
    assert promised(view) == {
        "availability": "vector(0.9995)",
        "latency": "vector(0.99)",
        "latency_seconds": "vector(1.0)",
    }


BAD = [
    ("unknown", {"mail": EMAIL}, ".mail", "unknown key", "write email"),
    ("nobody", {"email": EMAIL | {"to": []}}, ".email.to", "", ""),
    (
        "no_sender",
        {"email": {"to": "a@b", "smarthost": "m:25"}},
        ".email.sender",
        "is missing",
        "sender: alerts@",
    ),
    ("address", {"email": EMAIL | {"to": ["ops"]}}, ".email.to", "not a mail address", "operators@"),
    (
        "two_in_one",
        {"email": EMAIL | {"to": ["a@b.c, d@e.f"]}},
        ".email.to",
        "not a mail address",
        "one per entry",
    ),
    (
        "sender",
        {"email": EMAIL | {"sender": "Shop <a@b>"}},
        ".email.sender",
        "not a mail address",
        "operators@",
    ),
    (
        "no_port",
        {"email": EMAIL | {"smarthost": "mail"}},
        ".email.smarthost",
        "not a mail server",
        "HOST:PORT",
    ),
    (
        "port",
        {"email": EMAIL | {"smarthost": "mail:70000"}},
        ".email.smarthost",
        "not a mail server",
        "HOST:PORT",
    ),
    ("half_a_login", {"email": EMAIL | {"user": "x"}}, ".email.password_file", "is missing", "both"),
    ("no_user", {"email": EMAIL | {"password_file": "common.env"}}, ".email.user", "is missing", "both"),
    (
        "clear_password",
        {"email": EMAIL | {"user": "x", "password_file": "common.env", "require_tls": False}},
        ".email.require_tls",
        "in clear",
        "remove it",
    ),
    (
        "no_file",
        {"webhook": {"url": "https://x/", "token_file": "gone"}},
        ".webhook.token_file",
        "not there",
        "put the file",
    ),
    ("no_url", {"dead_man": {}}, ".dead_man.url", "is missing", "url: https://"),
    (
        "url",
        {"webhook": {"url": "hooks.example.org"}},
        ".webhook.url",
        "not an address to post to",
        "https://",
    ),
    ("all", {"objectives": {"availability": 100}}, ".objectives.availability", "can be promised", "99.9"),
    ("share", {"objectives": {"latency": 0.99}}, ".objectives.latency", "can be promised", "percent"),
    ("time", {"objectives": {"latency_seconds": 0}}, ".objectives.latency_seconds", "not a time", "up to 60"),
]


@pytest.mark.parametrize(
    ("alerts", "where", "what", "cure"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_what_is_refused(case, alerts, where, what, cure):
    case.platform["platform_alerts"] = alerts
    (problem,) = case.problems
    assert problem.where.startswith(f"platform_alerts{where}")
    assert what in problem.what
    assert cure in problem.cure


def test_mail_without_a_login_may_go_without_tls(case):
    case.platform["platform_alerts"] = {"email": EMAIL | {"require_tls": False}}
    assert case.platform_views["alerts"]["email"]["require_tls"] is False
