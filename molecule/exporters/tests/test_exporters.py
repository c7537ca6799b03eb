"""What the exporters role promises."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import scenario
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
SECRETS = INVENTORY / ".secrets"
HOST, ADDRESS, TLS = "m-exporters", "10.61.0.111", "/etc/tandem/tls"
PORTS = {"node": 9100, "postgres": 9187, "nginx": 9113, "valkey": 9121, "blackbox": 9115}
ADDRESSES = dict.fromkeys(PORTS, ADDRESS) | {"blackbox": "127.0.0.1"}
BY_NAME = [name for name in PORTS if name != "valkey"]
"""Those that look whose certificate it is."""
exporters = pytest.mark.parametrize("exporter", PORTS)
play = partial(scenario.play, SCENARIO / "converge.yml")


def password() -> str:
    return (SECRETS / "metrics" / "valkey_exporter").read_text()


def ask(host: Any, exporter: str, caller: str = "m-obs", path: str = "/metrics", options: str = "") -> Any:
    """The answer of an exporter to a caller with that certificate, or with none."""
    shown = f"--cert {TLS}/{caller}/certificate.pem --key {TLS}/{caller}/key.pem" if caller else ""
    address = f"--connect-to {HOST}:{PORTS[exporter]}:{ADDRESSES[exporter]}:{PORTS[exporter]}"
    login = f"--user prometheus:{password()}" if exporter == "valkey" and not options else ""
    url = f"'https://{HOST}:{PORTS[exporter]}{path}'"
    command = f"curl --silent --show-error --fail --max-time 20 --cacert {TLS}/ca.pem {address} {shown}"
    return host.run(f"{command} {login} {options} {url}")


def metrics(host: Any, exporter: str, **how: str) -> dict[str, float]:
    """Series of an exporter with their values."""
    result = ask(host, exporter, **how)
    assert result.rc == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def names(series: dict[str, float]) -> set[str]:
    return {name.partition("{")[0] for name in series}


def process(host: Any, exporter: str) -> str:
    return said(host, f"systemctl show -P MainPID tandem-{exporter}-exporter")


# --- who gets in -----------------------------------------------------------------------------------------------------


@exporters
def test_scrapers_are_let_in(host: Any, exporter: str) -> None:
    assert metrics(host, exporter)


@exporters
def test_nobody_else_is(host: Any, exporter: str) -> None:
    assert ask(host, exporter, caller="").rc != 0
    assert host.run(
        f"curl --silent --max-time 5 http://{ADDRESSES[exporter]}:{PORTS[exporter]}/metrics"
    ).rc != 0 or (
        "HTTPS"
        in said(host, f"curl --silent --max-time 5 http://{ADDRESSES[exporter]}:{PORTS[exporter]}/metrics")
    )


@pytest.mark.parametrize("exporter", BY_NAME)
def test_another_hosts_certificate_is_refused(host: Any, exporter: str) -> None:
    assert ask(host, exporter, caller="m-obs").rc == 0
    assert ask(host, exporter, caller="m-other").rc != 0
    assert ask(host, exporter, caller="metrics").rc != 0


@pytest.mark.parametrize("path", ["/metrics", "/scrape?target=redis://127.0.0.1:1", "/"])
def test_valkeys_wants_a_password_too(host: Any, path: str) -> None:
    assert "401" in ask(host, "valkey", path=path, options="--user prometheus:wrong").stderr
    assert "401" in ask(host, "valkey", path=path, options="--user other:").stderr
    assert "401" in ask(host, "valkey", path=path, options="--basic").stderr


@pytest.mark.parametrize("exporter", BY_NAME)
def test_only_tls_1_3_is_spoken(host: Any, exporter: str) -> None:
    assert ask(host, exporter, options="--tls-max 1.2").rc != 0


def test_nothing_else_listens(host: Any) -> None:
    listens = {line.split()[3] for line in said(host, "ss -Hlnt").splitlines()} - {"0.0.0.0:22", "[::]:22"}
    expected = {f"{ADDRESSES[name]}:{port}" for name, port in PORTS.items()}
    assert expected <= listens
    assert {address for address in listens if address.startswith(("*", "0.0.0.0", "[::]"))} == set()


@exporters
def test_debians_units_never_ran(host: Any, exporter: str) -> None:
    program = {"valkey": "redis"}.get(exporter, exporter)
    unit = f"prometheus-{program}-exporter.service"
    assert said(host, f"systemctl show -P LoadState {unit}") == "masked"
    assert said(host, f"journalctl --no-pager -q -u {unit} --grep Started || true") == ""


# --- what they tell, and what they may -------------------------------------------------------------------------------


def test_the_host(host: Any) -> None:
    told = metrics(host, "node")
    assert {
        *(
            "node_cpu_seconds_total",
            "node_filesystem_avail_bytes",
            "node_load1",
            "node_memory_MemAvailable_bytes",
        ),
        *(
            "node_network_receive_bytes_total",
            "node_time_seconds",
            "node_boot_time_seconds",
        ),
        *("node_disk_io_time_seconds_total", "node_systemd_service_restart_total", "node_uname_info"),
        "node_systemd_timer_last_trigger_seconds",
    } <= names(told)
    failed = [
        name for name, value in told.items() if name.startswith("node_scrape_collector_success") and not value
    ]
    # A container may not read the state of the clock.
    assert [name for name in failed if "timex" not in name] == []
    assert (
        told['node_systemd_unit_state{name="tandem-node-exporter.service",state="active",type="exec"}'] == 1
    )
    # As the host has them, not as the sandbox does.
    assert any('mountpoint="/"' in name for name in told if name.startswith("node_filesystem_avail_bytes"))
    assert not any(
        'mountpoint="/home"' in name for name in told if name.startswith("node_filesystem_avail_bytes")
    )
    assert len(told) < 500


def test_files_of_other_programs_are_shown(host: Any) -> None:
    said(host, "printf 'molecule_answer 42\\n' >/var/lib/prometheus/node-exporter/molecule.prom")
    assert metrics(host, "node")["molecule_answer"] == 42


def test_postgres(host: Any) -> None:
    told = metrics(host, "postgres")
    assert told["pg_up"] == 1
    assert told["pg_exporter_last_scrape_error"] == 0
    assert {
        *(
            "pg_database_size_bytes",
            "pg_locks_count",
            "pg_replication_is_replica",
            "pg_replication_lag_seconds",
        ),
        *(
            "pg_stat_database_xact_commit",
            "pg_stat_database_deadlocks",
            "pg_wal_size_bytes",
            "pg_settings_max_connections",
        ),
        "pg_stat_activity_count",
    } <= names(told)
    assert any('wait_event="' in name for name in told if name.startswith("pg_stat_activity_count"))
    failed = [
        name for name, value in told.items() if name.startswith("pg_scrape_collector_success") and not value
    ]
    assert failed == []


def test_nginx(host: Any) -> None:
    before = metrics(host, "nginx")
    assert before["nginx_up"] == 1
    said(host, f"curl --silent --output /dev/null http://{ADDRESS}/.well-known/tandem/edge")
    assert metrics(host, "nginx")["nginx_http_requests_total"] > before["nginx_http_requests_total"]


def test_nobody_but_the_exporter_reads_nginxs_counters(host: Any) -> None:
    ask_as = "runuser -u {} -- curl --silent --fail --unix-socket /run/tandem-nginx/status.sock http://nginx/status"
    assert host.run(ask_as.format("prometheus")).rc == 0
    assert host.run(ask_as.format("nobody")).rc != 0


def test_nginx_comes_back_when_it_was_killed(host: Any) -> None:
    said(host, "systemctl kill -s KILL nginx.service")
    said(host, "for i in $(seq 100); do systemctl is-active -q nginx && exit 0; sleep 0.1; done; exit 1")
    assert metrics(host, "nginx")["nginx_up"] == 1


def test_valkey(host: Any) -> None:
    told = metrics(host, "valkey")
    assert told["redis_up"] == 1
    assert told['redis_exporter_last_scrape_error{err=""}'] == 0
    assert {
        *("redis_commands_processed_total", "redis_evicted_keys_total", "redis_keyspace_hits_total"),
        *("redis_memory_max_bytes", "redis_memory_used_bytes", "redis_connected_clients"),
    } <= names(told)


@pytest.mark.parametrize(
    "words", ["KEYS '*'", "GET products:a", "SLOWLOG GET", "CONFIG GET '*'", "CLIENT LIST", "FLUSHALL"]
)
def test_what_valkeys_exporter_may_not_see(host: Any, words: str) -> None:
    secret = (SECRETS / "valkey" / "tandem_exporter").read_text()
    to = f"-h {ADDRESS} --tls --cacert {TLS}/ca.pem --user tandem_exporter --no-auth-warning"
    assert "NOPERM" in host.run(f"REDISCLI_AUTH={secret} valkey-cli {to} {words} 2>&1").stdout


def test_a_page_through_an_edge(host: Any) -> None:
    page = f"/probe?module=page&hostname=shop.tandem.test&target=https://{ADDRESS}/.well-known/tandem/edge"
    told = metrics(host, "blackbox", path=page)
    assert told["probe_success"] == 1
    assert told["probe_ssl_earliest_cert_expiry"] > 0
    # Another name is answered with another status, and has no certificate.
    assert metrics(host, "blackbox", path=page.replace("shop.", "shut."))["probe_success"] == 0


def test_passwords_are_readable_for_root_alone(host: Any) -> None:
    file = host.file("/etc/tandem/exporters/valkey.env")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    for shown in (
        "cat /etc/systemd/system/tandem-*",
        "systemctl show tandem-valkey-exporter",
        "cat /proc/[0-9]*/cmdline",
    ):
        assert password() not in host.run(shown).stdout


@exporters
def test_units_are_sandboxed(host: Any, exporter: str) -> None:
    unit = f"tandem-{exporter}-exporter.service"
    exposure = said(host, f"systemd-analyze security --no-pager {unit}").splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 3.0, exposure
    assert said(host, f"systemctl show -P User {unit}") == "prometheus"


def test_nothing_is_complained_of(host: Any) -> None:
    units = " ".join(f"-u tandem-{name}-exporter" for name in PORTS)
    told = said(host, f"journalctl --no-pager -q -o cat {units} --grep 'level=(ERROR|error)|denied' || true")
    # A container has no udev, and a probe that fails is told.
    rightly = ("/run/udev/data", "module=page")
    assert [line for line in told.splitlines() if not any(word in line for word in rightly)] == []


# --- changes ---------------------------------------------------------------------------------------------------------


def test_a_new_certificate_is_taken_without_a_restart(host: Any) -> None:
    before = {name: process(host, name) for name in PORTS}
    serial = "openssl s_client -connect {}:{} </dev/null 2>/dev/null | openssl x509 -noout -serial"
    old = {name: said(host, serial.format(ADDRESSES[name], PORTS[name])) for name in PORTS}
    (SECRETS / "certificates" / HOST / "metrics.pem").unlink()
    play()
    for name in PORTS:
        assert said(host, serial.format(ADDRESSES[name], PORTS[name])) != old[name]
        assert metrics(host, name)
    assert {name: process(host, name) for name in PORTS} == before


def test_other_scrapers_are_taken_without_a_restart(host: Any) -> None:
    before = process(host, "node")
    play(exporters_scrapers=["m-other"])
    assert ask(host, "node", caller="m-other").rc == 0
    assert ask(host, "node", caller="m-obs").rc != 0
    play()
    assert ask(host, "node", caller="m-obs").rc == 0
    assert process(host, "node") == before


def test_a_new_password_restarts_the_one_that_has_it(host: Any) -> None:
    before = {name: process(host, name) for name in PORTS}
    (SECRETS / "metrics" / "valkey_exporter").unlink()
    play()
    assert metrics(host, "valkey")["redis_up"] == 1
    changed = {name for name in PORTS if process(host, name) != before[name]}
    assert changed == {"valkey"}


def test_an_exporter_that_is_not_wanted_goes(host: Any) -> None:
    play(exporters_run=["node", "postgres", "nginx", "valkey"])
    assert said(host, "systemctl show -P LoadState tandem-blackbox-exporter") == "not-found"
    assert f":{PORTS['blackbox']} " not in said(host, "ss -Hlnt")
    assert "changed=0" in play(exporters_run=["node", "postgres", "nginx", "valkey"])
    play()
    assert ask(host, "blackbox").rc == 0


def test_without_scrapers_nothing_is_changed() -> None:
    with pytest.raises(AssertionError, match="at least one of exporters_scrapers"):
        play(exporters_scrapers=[])
