"""What the grafana role promises, with a stand-in for the package on one host and no package on the other."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import scenario
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
SECRETS = INVENTORY / ".secrets"
DASHBOARDS = SCENARIO.parents[1] / "roles" / "grafana" / "files" / "dashboards"
UNIT = "grafana-server"
ADDRESS = "10.61.0.130"
CURL = f"curl -sS --max-time 10 --cacert /etc/tandem/tls/ca.pem --resolve m-grafana:3000:{ADDRESS}"
play = partial(scenario.play, SCENARIO / "converge.yml")


def name_of(host: Any) -> str:
    return said(host, "hostname")


@pytest.fixture
def running(host: Any) -> Any:
    """The host with the package."""
    if name_of(host) != "m-grafana":
        pytest.skip("this host has no package")
    return host


@pytest.fixture
def without(host: Any) -> Any:
    """The host without it."""
    if name_of(host) == "m-grafana":
        pytest.skip("this host has the package")
    return host


def told(host: Any) -> dict[str, Any]:
    """What the stand-in has read, as its administrator is told."""
    # Read by the shell on the host: sudo writes the command into the journal.
    user = '"admin:$(cat /etc/tandem/grafana/admin_password)"'
    answer: dict[str, Any] = json.loads(said(host, f"{CURL} --fail -u {user} https://m-grafana:3000/"))
    return answer


# --- without a package -----------------------------------------------------------------------------------------------


def test_without_a_package_nothing_is_done_and_one_line_says_so(without: Any) -> None:
    for options in [(), ("--check",)]:
        output = play("--limit", "m-grafana-no,localhost", *options)
        text = " ".join(output.split())  # Ansible breaks long lines
        assert text.count("Grafana is left out on m-grafana-no: no package source has grafana") == 1
        assert "name one in platform_apt_repositories" in text
        assert "changed=0" in text and not re.search("changed=[1-9]", text)
    assert not without.file("/etc/tandem/grafana").exists
    assert "3000" not in said(without, "ss -Hlnt")


# --- with one --------------------------------------------------------------------------------------------------------


def test_it_listens_on_the_hosts_address_alone_with_tls_1_3(running: Any) -> None:
    listens = {line.split()[3] for line in said(running, "ss -Hlnt").splitlines()} - {"0.0.0.0:22", "[::]:22"}
    assert listens == {f"{ADDRESS}:3000"}
    assert json.loads(said(running, f"{CURL} https://m-grafana:3000/api/health")) == {"database": "ok"}
    assert running.run(f"{CURL} --tls-max 1.2 https://m-grafana:3000/api/health").rc == 35
    assert running.run(f"{CURL} http://m-grafana:3000/api/health").rc != 0


def test_nobody_gets_in_without_the_password_that_was_made(running: Any) -> None:
    assert (
        said(running, f"{CURL} -o /dev/null -w '%{{http_code}}' -u admin:admin https://m-grafana:3000/")
        == "401"
    )
    assert told(running)["secret_key_length"] == 32


def test_secrets_are_read_by_root_alone_and_are_in_no_process_and_no_configuration(running: Any) -> None:
    password = (SECRETS / "grafana" / "admin" / "m-grafana").read_text()
    assert said(
        running, "stat -c '%U %a' /etc/tandem/grafana/admin_password /etc/tandem/grafana/secret_key"
    ) == ("root 600\nroot 600")
    assert said(running, "grep -c PRIVATE /etc/tandem/grafana -r | grep -v ':0' || true") == ""
    assert password not in said(running, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert password not in said(running, "journalctl --no-pager -q")
    assert running.run("runuser -u nobody -- cat /etc/tandem/tls/grafana/key.pem").rc != 0


def test_data_sources_are_those_of_both_datacenters_its_own_first_with_certificates(running: Any) -> None:
    sources = yaml.safe_load(
        running.file("/etc/tandem/grafana/provisioning/datasources/tandem.yml").content_string
    )
    listed = sources["datasources"]
    assert sorted(source["name"] for source in listed) == [
        "Loki here (msk-obs1)",
        "Loki there (spb-obs1)",
        "Prometheus here (msk-obs1)",
        "Prometheus there (spb-obs1)",
    ]
    assert [source["uid"] for source in listed if source["isDefault"]] == ["prometheus-msk-obs1"]
    for source in listed:
        assert source["url"].startswith("https://")
        assert source["jsonData"]["tlsAuth"]
        assert source["jsonData"]["tlsAuthWithCACert"]
        assert "tlsSkipVerify" not in source["jsonData"]
        assert set(source["secureJsonData"]) == {"tlsCACert", "tlsClientCert", "tlsClientKey"}
    read = told(running)["sources"]  # after the files' contents were put in, by the service's user
    assert read.count("PRIVATE KEY") == 2 * len(listed)


def test_settings_are_as_promised(running: Any) -> None:
    text = running.file("/etc/tandem/grafana/grafana.ini").content_string
    sections = {
        part.partition("]")[0]: part.partition("]")[2].split("\n")
        for part in text.split("\n[")
        if "]" in part
    }
    for section, line in [
        ("auth.anonymous", "enabled = false"),
        ("unified_alerting", "enabled = false"),
        ("users", "allow_sign_up = false"),
        ("database", "type = sqlite3"),
        ("analytics", "reporting_enabled = false"),
        ("security", "cookie_secure = true"),
    ]:
        assert line in sections[section], section


def test_dashboards_are_those_of_the_role_and_others_go(running: Any) -> None:
    names = {path.stem for path in DASHBOARDS.glob("*.json")}
    assert told(running)["dashboards"].keys() == names
    running.run('echo \'{"title": "old"}\' > /etc/tandem/grafana/dashboards/tandem-old.json')
    output = play("--limit", "m-grafana,localhost", "--check", "--diff")
    assert "tandem-old.json" in output
    play("--limit", "m-grafana,localhost")
    assert told(running)["dashboards"].keys() == names


def test_it_is_sandboxed(running: Any) -> None:
    score = said(running, f"systemd-analyze security --no-pager {UNIT} | tail -1")
    assert float(score.split(":")[1].split()[0]) <= 2.0, score
    user = said(running, f"systemctl show -P MainPID {UNIT} | xargs -I{{}} stat -c %U /proc/{{}}")
    assert user == "grafana"
    assert told(running)["environment"] == {"GOMAXPROCS": "1", "GOMEMLIMIT": "200MiB"}
    assert running.service(UNIT).is_enabled


def test_a_new_certificate_restarts_it(running: Any) -> None:
    before = said(running, f"systemctl show -P MainPID {UNIT}")
    said(running, f"systemctl reload {UNIT}")
    said(
        running,
        f"for i in $(seq 50); do [ $(systemctl show -P MainPID {UNIT}) != {before} ] && "
        f"[ $(systemctl is-active {UNIT}) = active ] && exit 0; sleep 0.2; done; exit 1",
    )
