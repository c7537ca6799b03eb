"""All problems at once, each readable; the nearest known word; warnings."""

from ansible_collections.tandem.platform.plugins.plugin_utils.problems import (
    Problem,
    nearest,
    shown,
    text_of,
)


def test_all_problems_are_reported_at_once(case):
    case.platform["platform_name"] = "My Lab"
    case.platform["platform_timeouts"] = "quick"
    case.platform["platform_postgres"]["max_connections"] = 20
    case.services["users"] |= {"limits": {"memory": "much"}, "calls": ["nobody"]}
    case.services["order-mail"] |= {"port": 5000, "hosts": "apps"}
    case.hosts["spb-app1"]["platform_site"] = "spd"
    case.groups["witness"] = []
    assert [problem.where for problem in case.problems] == [
        "group witness",
        "hosts.spb-app1.platform_site",
        "platform_name",
        "platform_postgres.max_connections",
        "platform_timeouts",
        "services.order-mail.hosts",
        "services.order-mail.port",
        "services.users.calls[0]",
        "services.users.limits.memory",
    ]


def test_a_wrong_entry_is_not_blamed_on_those_that_name_it(case):
    case.services["users"]["port"] = 80
    assert [problem.where for problem in case.problems] == ["services.users.port"]


def test_a_host_with_a_wrong_address_still_counts_as_a_voter(case):
    case.hosts["msk-data1"]["ansible_host"] = "msk-data1.example.org"
    assert [problem.where for problem in case.problems] == ["hosts.msk-data1.ansible_host"]


def test_a_value_from_the_second_file_is_reported_there(case):
    case.override = {"users": {"port": 80, "limits": {"memory": "much"}}}
    assert [problem.where for problem in case.problems] == [
        "services_override.users.limits.memory",
        "services_override.users.port",
    ]


def test_secret_looking_values_are_not_repeated(case):
    case.services["users"]["environment"] = {"API_TOKEN": ["s3cret"], "B": "s3cret\ntoo"}
    assert "s3cret" not in text_of(case.problems)


def test_a_datacenter_without_edge_or_app_is_a_warning(case):
    case.groups["edge"] = ["msk-edge1"]
    case.groups["obs"].append("spb-edge1")
    derivation = case.derive()
    assert derivation.problems == []
    (warning,) = derivation.warnings
    assert warning.startswith("platform_sites.spb: has no host in group edge; users are not served")
    assert derivation.platform["notices"] == derivation.warnings


def test_a_service_in_one_site_is_a_warning(case):
    case.groups["mailers"] = ["msk-app1"]
    case.services["order-mail"]["hosts"] = "mailers"
    assert case.derive().warnings == [
        "services.order-mail.hosts: every host of group mailers is in site msk; its loss stops order-mail"
    ]


def test_a_host_of_no_class_is_a_warning(case):
    case.add_host("spb-spare1", "spb", "10.2.0.99")
    (warning,) = case.derive().warnings
    assert warning.startswith("hosts.spb-spare1: is in none of the groups app, data, edge, obs, witness")


def test_the_list_is_readable():
    problems = [Problem("services.b.port", "80 is refused", "choose another"), Problem("a", "x", "y")]
    assert text_of([*problems, problems[0]]) == (
        "2 problems in the inventory; nothing was changed.\n"
        "1. a: x\n    cure: y\n"
        "2. services.b.port: 80 is refused\n    cure: choose another"
    )


def test_nearest_word():
    assert nearest("databse", ["database", "depends_on"]) == "database"
    assert nearest("xyz", ["database", "depends_on"]) is None


def test_long_values_are_cut():
    assert shown("é" * 100) == '"' + "é" * 58 + "…"
    assert shown({1, 2}) == "{1, 2}"
