"""What hosts get to know of further package sources."""

import pytest

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----"
FLAT = {
    "name": "lab",
    "uris": "http://192.0.2.1:3143/",
    "suites": "./",
    "signed_by": "lab.asc",
    "packages": ["loki", "promtail"],
}
NAMED = {
    "name": "grafana",
    "uris": ["https://apt.example.org/a", "https://apt.example.org/b", "http://mirror.example.org/"],
    "suites": ["stable"],
    "components": ["main"],
    "signed_by": KEY,
    "packages": ["grafana"],
    "pin": 600,
}


@pytest.fixture
def repositories(case):
    case.files["/project/lab.asc"] = KEY + "\n\n"
    case.platform["platform_apt_repositories"] = [FLAT, NAMED]
    return case.platform_views["apt_repositories"]


def test_a_folder_with_packages(repositories):
    assert repositories[0] == {
        "name": "lab",
        "uris": ["http://192.0.2.1:3143/"],
        "hosts": ["192.0.2.1"],
        "suites": ["./"],
        "components": [],
        "packages": ["loki", "promtail"],
        "pin": 990,
        "origin": None,
        "key": KEY + "\n",
    }


def test_hosts_are_told_once(repositories):
    assert repositories[1]["hosts"] == ["apt.example.org", "mirror.example.org"]
    assert (repositories[1]["pin"], repositories[1]["key"]) == (600, KEY + "\n")


def test_there_are_none_by_default(case):
    assert case.platform_views["apt_repositories"] == []


def test_observability_is_wanted_by_default(case):
    assert case.platform_views["observability"] is True
    case.platform["platform_observability"] = False
    assert case.platform_views["observability"] is False
