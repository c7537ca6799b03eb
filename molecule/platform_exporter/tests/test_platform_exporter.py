"""What the platform_exporter role promises."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

ADDRESS = "10.61.0.120"
URL = f"https://{ADDRESS}:9170/metrics"
UNIT = "tandem-platform-exporter"
TLS = "/etc/tandem/tls"


def ask(host: Any, caller: str, url: str = URL) -> tuple[int, str]:
    """Status and body of an answer to a caller, by its certificate."""
    keys = f"--cert {TLS}/{caller}/certificate.pem --key {TLS}/{caller}/key.pem --cacert {TLS}/ca.pem"
    with host.sudo():
        result = host.run(f"curl --silent --max-time 10 --write-out '\n%{{http_code}}' {keys} {url}")
    assert result.rc == 0, result.stderr
    body, _, status = str(result.stdout).rpartition("\n")
    return int(status), body


def value(host: Any, series: str) -> float | None:
    """Value of a series as it is written on the page; None when it is not there."""
    status, page = ask(host, "m-observer")
    assert status == 200
    found = [line.rpartition(" ")[2] for line in page.splitlines() if line.rpartition(" ")[0] == series]
    return float(found[0]) if found else None


def wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(1)


def success(collector: str) -> str:
    return f'tandem_collector_success{{collector="{collector}"}}'


def test_it_runs_and_listens_on_the_hosts_address_alone(host: Any) -> None:
    assert host.service(UNIT).is_running
    assert host.service(UNIT).is_enabled
    listens = {line.split()[3] for line in host.check_output("ss -Hlnt").splitlines()}
    assert listens - {"0.0.0.0:22", "[::]:22"} == {f"{ADDRESS}:9170"}


def test_only_scrapers_read(host: Any) -> None:
    assert ask(host, "m-observer")[0] == 200
    assert ask(host, "m-observer", URL.removesuffix("/metrics"))[0] == 404
    assert ask(host, "m-stranger")[0] == 403
    assert host.run(f"curl --silent --insecure {URL}").rc != 0
    assert host.run(f"curl --silent {URL.replace('https', 'http')}").rc != 0


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ('tandem_service_instances{service="hello",state="wanted"}', 2),
        ('tandem_service_instances{service="hello",state="running"}', 1),
        ('tandem_service_instances{service="hello",state="drained"}', 0),
        # What runs, not what was deployed last.
        ('tandem_release_info{release="abc123",service="hello"}', 1),
        ('tandem_release_info{release="def456",service="watched"}', 1),
        ('tandem_supervisord_program_state{program="watched@1",service="watched",state="FATAL"}', 1),
        ('tandem_timer_last_run_timestamp_seconds{timer="tick"}', 1700000000.5),
        ('tandem_timer_last_exit_code{timer="tick"}', 0),
        ('tandem_timer_last_duration_seconds{timer="tick"}', 0.25),
        ("tandem_postgres_self_fence_primed", 1),
        ("tandem_postgres_monitor_reachable", 0),
        (success("certificates"), 1),
        (success("services"), 1),
        (success("timers"), 1),
        (success("self_fence"), 1),
        (success("monitor"), 1),
        # There are no databases here.
        (success("databases"), 0),
        (success("stall_guard"), 0),
    ],
)
def test_values(host: Any, series: str, expected: float) -> None:
    wait(lambda: value(host, series) == expected)


def test_certificates(host: Any) -> None:
    with host.sudo():
        shown = host.check_output(f"openssl x509 -in {TLS}/m-observer/certificate.pem -noout -enddate")
    end = int(host.check_output(f"date -d '{shown.partition('=')[2]}' +%s"))
    wait(lambda: value(host, 'tandem_certificate_not_after_seconds{name="m-observer"}') == end, 10)


def test_it_may_do_little(host: Any) -> None:
    with host.sudo():
        pid = host.check_output(f"systemctl show -P MainPID {UNIT}")
        status = host.check_output(f"cat /proc/{pid}/status")
        assert host.check_output(f"stat -c %U /proc/{pid}") == "platform-exporter"
        assert "NoNewPrivs:\t1" in status
        assert "CapBnd:\t0000000000000000" in status
        for path in ("tls/m-observer/key.pem", "tls/m-observer/bundle.pem"):
            assert host.run(f"runuser -u platform-exporter -- cat /etc/tandem/{path}").rc != 0
        assert host.run("runuser -u platform-exporter -- systemctl stop hello@1").rc != 0
        assert host.service("hello@1").is_running
    assert float(host.check_output(f"systemd-analyze security {UNIT} | tail -1").split()[-3]) < 3


def test_a_fact_that_grows_old_is_a_failure(host: Any) -> None:
    path = "/run/tandem-fact-self-fence/value"
    wait(lambda: value(host, success("self_fence")) == 1)
    with host.sudo():
        host.check_output("systemctl stop tandem-fact-self-fence.timer")
        host.check_output(f"touch -d '-10min' {path}")
    try:
        wait(lambda: value(host, success("self_fence")) == 0)
        assert value(host, "tandem_postgres_self_fence_primed") is None
        assert value(host, success("services")) == 1
    finally:
        with host.sudo():
            host.check_output("systemctl start tandem-fact-self-fence.timer")


def test_a_new_certificate_is_taken_without_a_restart(host: Any) -> None:
    with host.sudo():
        before = host.check_output(f"systemctl show -P MainPID {UNIT}")
        host.check_output(f"systemctl reload {UNIT}")
    assert ask(host, "m-observer")[0] == 200
    with host.sudo():
        assert host.check_output(f"systemctl show -P MainPID {UNIT}") == before


def test_it_costs_little(host: Any) -> None:
    """Asked far more often than by two scrapers: the page itself must be cheap."""

    def used() -> float:
        with host.sudo():
            return int(host.check_output(f"systemctl show -P CPUUsageNSec {UNIT}")) / 1e9

    before, started = used(), time.monotonic()
    while time.monotonic() - started < 20:
        ask(host, "m-observer")
        time.sleep(1)
    cost = (used() - before) / (time.monotonic() - started)
    with host.sudo():
        pid = host.check_output(f"systemctl show -P MainPID {UNIT}")
        memory = int(host.check_output(f"awk '/^VmRSS/ {{print $2}}' /proc/{pid}/status")) / 1024
    print(f"platform exporter: {cost:.4f} of a core while asked every second, {memory:.0f} MiB")
    assert cost < 0.05
    assert memory < 100
