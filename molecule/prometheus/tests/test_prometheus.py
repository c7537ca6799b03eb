"""What the prometheus role promises."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import scenario
from tests.support.prometheus import Prometheus, PrometheusError, from_store, on_host
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
SECRETS = INVENTORY / ".secrets"
HOST, ADDRESS, TLS = "m-prometheus", "10.61.0.112", "/etc/tandem/tls"
UNIT = "tandem-prometheus"
play = partial(scenario.play, SCENARIO / "converge.yml")


@pytest.fixture
def prometheus(host: Any) -> Prometheus:
    return on_host(lambda command: said(host, command), HOST)


def process(host: Any) -> str:
    return said(host, f"systemctl show -P MainPID {UNIT}")


def jobs(prometheus: Prometheus) -> set[str]:
    return {str(item["labels"]["job"]) for item in prometheus.targets()}


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until Prometheus has taken what it was told to read."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not taken its new configuration"
        time.sleep(0.5)


def ask(host: Any, caller: str, options: str = "") -> Any:
    shown = f"--cert {TLS}/{caller}/certificate.pem --key {TLS}/{caller}/key.pem" if caller else ""
    url = f"https://{HOST}:9090/-/ready"
    return host.run(
        f"curl --silent --show-error --fail --max-time 10 --cacert {TLS}/ca.pem {shown} {options} {url}"
    )


# --- who gets in -----------------------------------------------------------------------------------------------------


def test_only_observers_get_in(host: Any) -> None:
    assert ask(host, "metrics").rc == 0
    assert ask(host, "").rc != 0
    assert ask(host, "m-other").rc != 0
    assert ask(host, "metrics", "--tls-max 1.2").rc != 0


def test_it_is_asked_over_the_network(prometheus: Prometheus) -> None:
    here = from_store(SECRETS, HOST, ADDRESS)
    assert here.value("vector(7)") == 7


def test_it_listens_on_the_hosts_address_alone(host: Any) -> None:
    listens = {line.split()[3] for line in said(host, "ss -Hlntp | grep '\"prometheus\"'").splitlines()}
    assert listens == {f"{ADDRESS}:9090"}


def test_debians_unit_never_ran(host: Any) -> None:
    assert said(host, "systemctl show -P LoadState prometheus") == "masked"
    assert said(host, "journalctl --no-pager -q -u prometheus.service --grep Started || true") == ""
    assert host.service(UNIT).is_running
    assert host.service(UNIT).is_enabled


def test_the_unit_is_sandboxed(host: Any) -> None:
    exposure = said(host, f"systemd-analyze security --no-pager {UNIT}.service").splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure


def test_passwords_are_its_own(host: Any) -> None:
    file = host.file("/etc/prometheus/credentials/valkey")
    assert (file.user, file.group, file.mode) == ("root", "prometheus", 0o640)
    assert file.content_string == (SECRETS / "metrics" / "valkey_exporter").read_text()
    assert file.content_string not in host.file("/etc/prometheus/prometheus.yml").content_string


# --- what is scraped -------------------------------------------------------------------------------------------------


def test_targets_are_up_over_mutual_tls(prometheus: Prometheus) -> None:
    for job in ("node", "valkey", "prometheus"):
        prometheus.wait(f'up{{job="{job}"}} == 1')
    assert [text for text in prometheus.down() if not text.startswith("service")] == []
    (down,) = prometheus.down()
    assert down.startswith("service m-gone/users@1: ")


def test_series_say_where_they_are_from(prometheus: Prometheus) -> None:
    (load,) = prometheus.wait('node_load1{instance="m-prometheus:9100"}')
    assert load.labels == {
        "__name__": "node_load1",
        "job": "node",
        "site": "msk",
        "host": "m-prometheus",
        "instance": "m-prometheus:9100",
    }
    (gone,) = prometheus.query('up{job="service"}')
    assert (gone.labels["site"], gone.labels["host"], gone.value) == ("spb", "m-gone", 0)
    (service,) = [item for item in prometheus.targets() if item["labels"]["job"] == "service"]
    assert service["scrapeUrl"] == "https://m-prometheus:8405/service/users/1"


def test_another_scrape_of_the_same_job(prometheus: Prometheus) -> None:
    other = '{job="node", part_of="molecule"}'
    prometheus.wait(f"node_load1{other}")
    assert prometheus.query(f"node_memory_MemTotal_bytes{other}") == []
    assert prometheus.value('count(up{job="node"} == 1)') == 2


def test_valkey_is_scraped_with_a_password(prometheus: Prometheus) -> None:
    assert prometheus.wait("redis_up")[0].value == 1


def test_pages_are_asked_for_as_users_do(prometheus: Prometheus) -> None:
    prometheus.wait('probe_success{host="m-edge2"}')
    assert prometheus.by("host", "probe_success") == {"m-edge": 1, "m-edge2": 0}
    assert prometheus.by("instance", 'probe_http_status_code{probe="edge", host="m-edge"}') == {
        "m-edge/.well-known/tandem/edge": 200
    }


def test_what_nobody_looks_at_is_not_kept(prometheus: Prometheus) -> None:
    prometheus.wait("node_systemd_unit_state")
    assert set(prometheus.by("state", "count by (state) (node_systemd_unit_state)")) == {"active", "failed"}
    assert prometheus.value('count({job="node", part_of=""})') < 400


# --- rules and alerts ------------------------------------------------------------------------------------------------


def test_rules_are_evaluated(prometheus: Prometheus) -> None:
    assert prometheus.wait("molecule:up:count")[0].value >= 3
    assert prometheus.wait("molecule_promise")[0].value == 0.999


def test_alerts_lead_to_the_runbooks(host: Any, prometheus: Prometheus) -> None:
    prometheus.wait('ALERTS{alertname="MoleculeAlways", alertstate="firing"}')
    (alert,) = [item for item in prometheus.alerts() if item["labels"]["alertname"] == "MoleculeAlways"]
    assert alert["annotations"]["runbook_url"] == "https://wiki.tandem.test/runbooks/MoleculeAlways.md"
    assert host.run("grep -rq docs/runbooks /etc/prometheus/rules").rc == 1


def test_alerts_go_to_the_alertmanagers_without_the_prometheuss_name(
    host: Any, prometheus: Prometheus
) -> None:
    assert prometheus.wait("prometheus_notifications_alertmanagers_discovered")[0].value == 1
    configuration = host.file("/etc/prometheus/prometheus.yml").content_string
    assert 'external_labels: {prometheus: "msk"}' in configuration
    assert "{action: labeldrop, regex: prometheus}" in configuration


def test_a_wrong_question_is_told(prometheus: Prometheus) -> None:
    with pytest.raises(PrometheusError, match="parse error"):
        prometheus.query("sum(")


# --- changes ---------------------------------------------------------------------------------------------------------


def test_promtool_accepts_everything(host: Any) -> None:
    said(host, "promtool check config /etc/prometheus/prometheus.yml")
    said(host, "promtool check web-config /etc/prometheus/web.yml")


def test_targets_and_rules_change_without_a_restart(host: Any, prometheus: Prometheus) -> None:
    before = process(host)
    extra = [{"job_name": "mine", "static_configs": [{"targets": ["127.0.0.1:1"]}]}]
    play(prometheus_scrape_configs=extra, prometheus_rule_files=[])
    until(lambda: "mine" in jobs(prometheus))
    assert not host.file("/etc/prometheus/rules/mine.yml").exists
    assert "MoleculeAlways" not in {item["labels"]["alertname"] for item in prometheus.alerts()}
    assert "changed=0" in play(prometheus_scrape_configs=extra, prometheus_rule_files=[])
    play()
    until(lambda: "mine" not in jobs(prometheus))
    assert process(host) == before


def test_samples_outlive_a_restart(host: Any, prometheus: Prometheus) -> None:
    prometheus.wait("molecule:up:count")
    then = time.time()
    before = process(host)
    play(prometheus_retention_time="60d")
    assert process(host) != before
    assert prometheus.query("molecule:up:count", at=then)
    assert "changed=0" in play(prometheus_retention_time="60d")
    play()


def test_a_new_certificate_is_taken_without_a_restart(host: Any, prometheus: Prometheus) -> None:
    before = process(host)
    serial = f"openssl s_client -connect {ADDRESS}:9090 </dev/null 2>/dev/null | openssl x509 -noout -serial"
    old = said(host, serial)
    (SECRETS / "certificates" / HOST / "metrics.pem").unlink()
    play()
    assert said(host, serial) != old
    assert process(host) == before


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"prometheus_remote_write": [{"url": "https://x/", "unknown": 1}]}, "field unknown not found"),
        ({"prometheus_scrape_configs": [{"job_name": "node"}]}, "names of prometheus_scrape_configs"),
        ({"prometheus_rules": {"mine": {"groups": []}}}, "different names of files"),
        ({"prometheus_scrapers": []}, "at least one of prometheus_scrapers"),
    ],
)
def test_what_prometheus_does_not_understand_changes_nothing(host: Any, variables: Any, told: str) -> None:
    kept = host.file("/etc/prometheus/prometheus.yml").content_string
    before = process(host)
    with pytest.raises(AssertionError, match=told):
        play(**variables)
    assert host.file("/etc/prometheus/prometheus.yml").content_string == kept
    assert process(host) == before


def test_rules_that_promtool_refuses_are_not_placed(host: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("groups: [{name: wrong, rules: [{alert: Wrong, expr: 'sum('}]}]\n")
    with pytest.raises(AssertionError, match="parse error"):
        play(prometheus_rule_files=[str(wrong)])
    assert not host.file("/etc/prometheus/rules/wrong.yml").exists
