"""What the loki role promises."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import scenario
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
UNIT = "tandem-loki"
ADDRESS = "10.61.0.116"
URL = f"https://{ADDRESS}:3100"
CA = "--cacert /etc/tandem/tls/ca.pem"
CERTIFICATE = "--cert /etc/tandem/tls/loki/certificate.pem --key /etc/tandem/tls/loki/key.pem"
play = partial(scenario.attempt, SCENARIO / "converge.yml")


def curl(host: Any, path: str, *options: str) -> str:
    """What Loki answers to somebody with a certificate."""
    return said(host, f"curl -sS --fail-with-body -m 20 {CA} {CERTIFICATE} {' '.join(options)} '{URL}{path}'")


def push(host: Any, line: str, labels: dict[str, str], *, at: float, **metadata: str) -> None:
    values = [[str(int(at * 1e9)), line, metadata]]
    body = json.dumps({"streams": [{"stream": labels, "values": values}]})
    curl(host, "/loki/api/v1/push", "-H 'Content-Type: application/json'", f"-d '{body}'")


def lines(host: Any, query: str, since: str = "24h") -> list[tuple[dict[str, str], str]]:
    """Each line that the query finds with its labels, structured metadata among them."""
    answer = json.loads(
        curl(host, "/loki/api/v1/query_range", "-G", f"--data-urlencode 'query={query}'", f"-d since={since}")
    )
    return [(each["stream"], value[1]) for each in answer["data"]["result"] for value in each["values"]]


def wait_until_ready(host: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while host.run(f"curl -sf -m 5 {CA} {CERTIFICATE} {URL}/ready").rc:
        assert time.monotonic() < deadline, "it is not ready"
        time.sleep(0.5)


def process(host: Any) -> str:
    return said(host, f"systemctl show -P MainPID {UNIT}")


# --- the package -----------------------------------------------------------------------------------------------------


def test_it_is_the_right_program_of_that_name(host: Any) -> None:
    assert host.package("loki").version == "3.6.15"
    assert "version 3.6.15" in said(host, "loki -version")


def test_only_the_named_package_comes_from_the_repository(host: Any) -> None:
    loki = said(host, "apt-cache policy loki")
    assert "Candidate: 3.6.15" in loki
    assert "3.6.15 990" in loki
    promtail = said(host, "apt-cache policy promtail")
    assert "3.6.15 -1" in promtail and "Candidate: (none)" in promtail
    # A package that Debian has too, which nobody named, is Debian's.
    assert ":3143" not in said(host, "apt-cache policy curl")


def test_a_source_is_trusted_by_its_own_key_only(host: Any) -> None:
    source = said(host, "cat /etc/apt/sources.list.d/tandem-lab.sources")
    assert "Signed-By: /etc/apt/keyrings/tandem-lab.asc" in source
    assert "trusted" not in source.lower()


def test_a_source_that_is_no_longer_named_goes_and_its_packages_stay(host: Any) -> None:
    find = "find /etc/apt -name 'tandem-*' -printf '%f\\n' | sort"
    files = ["tandem-lab.asc", "tandem-lab.pref", "tandem-lab.sources"]
    assert said(host, find).splitlines() == files
    code, output = play(base_apt_repositories=[])
    assert code == 0, output
    assert said(host, find) == ""
    assert "3143" not in said(host, "apt-cache policy loki")
    assert host.package("loki").is_installed
    code, output = play()
    assert code == 0, output
    assert said(host, find).splitlines() == files
    assert "3143" in said(host, "apt-cache policy loki")


def test_a_source_on_the_host_of_another_one_is_refused(host: Any) -> None:
    other = "/etc/apt/sources.list.d/other.list"
    said(host, f"echo 'deb http://10.60.255.1/debian trixie main' > {other}")
    try:
        code, output = play()
        assert code != 0
        assert "other.list" in output and "origin" in output
    finally:
        said(host, f"rm {other}")


def test_a_unit_of_the_package_would_not_start(host: Any) -> None:
    unit = "[Service]\\nExecStart=/usr/bin/sleep infinity\\n"
    said(host, f"printf '{unit}' > /etc/systemd/system/loki.service && systemctl daemon-reload")
    try:
        said(host, "systemctl restart loki.service")
        assert said(host, "systemctl show -P ActiveState loki.service") == "inactive"
    finally:
        said(host, "rm /etc/systemd/system/loki.service && systemctl daemon-reload")


# --- who gets in -----------------------------------------------------------------------------------------------------


def test_it_listens_where_it_says(host: Any) -> None:
    listens = {line.split()[3] for line in said(host, "ss -Hlnt").splitlines()} - {"0.0.0.0:22", "[::]:22"}
    assert listens == {f"{ADDRESS}:3100", "127.0.0.1:9095"}


@pytest.mark.parametrize("url", [f"{URL}/ready", f"{URL}/loki/api/v1/labels", "https://127.0.0.1:9095/"])
def test_without_a_certificate_nobody_gets_in(host: Any, url: str) -> None:
    result = host.run(f"curl -sS -m 10 --insecure {url}")
    assert result.rc != 0
    assert "certificate" in result.stderr


@pytest.mark.parametrize("port", [3100, 9095])
def test_a_certificate_of_somebody_else_is_refused(host: Any, port: int) -> None:
    said(
        host,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=m-loki "
        "-keyout /tmp/other.key -out /tmp/other.pem 2>/dev/null",
    )
    address = ADDRESS if port == 3100 else "127.0.0.1"
    result = host.run(
        f"curl -sS -m 10 --insecure --cert /tmp/other.pem --key /tmp/other.key https://{address}:{port}/ready"
    )
    assert result.rc != 0
    assert "certificate" in result.stderr or "unknown ca" in result.stderr


def test_nothing_is_told_without_tls(host: Any) -> None:
    result = host.run(f"curl -sS -m 10 -o /dev/null -w '%{{http_code}}' http://{ADDRESS}:3100/ready")
    assert result.stdout.strip() in {"400", "000"}


def test_others_of_the_host_read_nothing(host: Any) -> None:
    assert said(host, "stat -c '%U %a' /var/lib/loki") == "loki 750"
    for path in ("/var/lib/loki/wal", "/etc/tandem/tls/loki/key.pem"):
        assert host.run(f"runuser -u nobody -- ls {path} && runuser -u nobody -- head -c1 {path}").rc != 0


# --- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_comes_back_with_its_labels_and_metadata_and_nothing_else(host: Any) -> None:
    labels = {"site": "msk", "host": "msk-app1", "service": "orders", "level": "info"}
    push(host, "an order was paid", labels, at=time.time(), request_id="r-1", order_id="o-1")
    found = lines(host, '{service="orders"} | request_id="r-1"')
    assert found == [({**labels, "request_id": "r-1", "order_id": "o-1"}, "an order was paid")]
    known = json.loads(curl(host, "/loki/api/v1/labels"))["data"]
    assert set(known) == set(labels)


def test_an_agent_that_was_away_may_bring_old_lines(host: Any) -> None:
    labels = {"site": "msk", "host": "away", "service": "users", "level": "info"}
    push(host, "yesterday", labels, at=time.time() - 20 * 3600)
    push(host, "two hours ago", labels, at=time.time() - 7200)
    push(host, "now", labels, at=time.time())
    push(host, "a little late", labels, at=time.time() - 1800)
    expected = {"yesterday", "two hours ago", "now", "a little late"}
    deadline = time.monotonic() + 120  # old lines are found when they are stored, within a minute
    while (found := {line for _, line in lines(host, '{host="away"}')}) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(2)


def test_counting_over_labels(host: Any) -> None:
    labels = {"site": "spb", "host": "counted", "service": "products", "level": "error"}
    for number in range(5):
        push(host, f"line {number}", labels, at=time.time() - number)
    query = 'sum by (service) (count_over_time({host="counted"}[5m]))'
    answer = json.loads(curl(host, "/loki/api/v1/query", "-G", f"--data-urlencode 'query={query}'"))
    assert answer["data"]["result"][0]["metric"] == {"service": "products"}
    assert answer["data"]["result"][0]["value"][1] == "5"


def test_lines_outlive_a_crash(host: Any) -> None:
    labels = {"site": "msk", "host": "crash", "service": "audit", "level": "info"}
    push(host, "before the crash", labels, at=time.time())
    before = process(host)
    said(host, f"systemctl kill --signal=KILL {UNIT}")
    deadline = time.monotonic() + 20
    while process(host) in {before, "0"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    wait_until_ready(host)
    assert [line for _, line in lines(host, '{host="crash"}')] == ["before the crash"]


def test_a_reload_is_a_restart_for_new_certificates(host: Any) -> None:
    before = process(host)
    said(host, f"systemctl reload {UNIT}")
    deadline = time.monotonic() + 90
    while process(host) in {before, "0"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    wait_until_ready(host)


def test_too_many_labels_are_refused(host: Any) -> None:
    labels = {f"label{number}": "x" for number in range(9)}
    body = json.dumps({"streams": [{"stream": labels, "values": [[str(time.time_ns()), "a line"]]}]})
    result = host.run(
        f"curl -sS -m 10 {CA} {CERTIFICATE} -H 'Content-Type: application/json' -d '{body}' "
        f"-w '%{{http_code}}' {URL}/loki/api/v1/push"
    )
    assert result.stdout.endswith("400")
    assert "label names" in result.stdout


# --- its settings ----------------------------------------------------------------------------------------------------


def test_retention_and_schema_are_what_was_asked_for(host: Any) -> None:
    config = curl(host, "/config")
    for line in (
        "retention_enabled: true",
        "retention_period: 31d",
        "schema: v13",
        "store: tsdb",
        "object_store: filesystem",
        "reporting_enabled: false",
        "delete_request_store: filesystem",
    ):
        assert line in config, line
    assert "compactor" in curl(host, "/services")


def test_a_wrong_configuration_never_lands(host: Any) -> None:
    before, config = process(host), said(host, "sha256sum /etc/tandem/loki/loki.yml")
    code, output = play(__loki_schema_from="yesterday")
    assert code != 0
    assert "Nothing was written" in output
    assert said(host, "sha256sum /etc/tandem/loki/loki.yml") == config
    assert process(host) == before


def test_bad_input_is_refused(host: Any) -> None:
    code, output = play(loki_version="latest")
    assert code != 0
    assert "a version like 3.6.15 (latest)" in output


def test_a_changed_setting_restarts_it_once_and_it_is_ready_afterwards(host: Any) -> None:
    before = process(host)
    code, output = play(loki_retention_days=14)
    assert code == 0, output
    assert process(host) != before
    assert "retention_period: 2w" in curl(host, "/config")
    code, output = play()
    assert code == 0, output
    assert "retention_period: 31d" in curl(host, "/config")
    assert host.service(UNIT).is_enabled


def test_what_it_costs(host: Any) -> None:
    """Prints a figure for docs; the limit is the unit's."""
    memory = int(said(host, f"awk '/^VmRSS/ {{print $2}}' /proc/{process(host)}/status"))
    print(f"memory {memory / 2**10:.0f} MiB")
    assert memory < 400 * 2**10
    assert said(host, f"systemctl show -P MemoryMax {UNIT}") == str(768 * 2**20)
