"""What the alertmanager role promises, on two hosts that form a cluster."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import testinfra

from tests.support import scenario
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
UNIT = "tandem-alertmanager"
ADDRESSES = {"m-am-msk": "10.61.0.119", "m-am-spb": "10.62.0.119"}
TOKEN = "hook-token-for-tests"
play = partial(scenario.play, SCENARIO / "converge.yml")


@pytest.fixture(scope="module")
def hosts(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Both hosts by name."""
    listed = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "testinfra.yml"
    found = testinfra.get_hosts(["ansible://alertmanager"], ansible_inventory=str(listed))
    return {str(host.backend.host): host for host in found}


def curl(host: Any, url: str, *options: str, name: str = "alertmanager") -> Any:
    """Ask with a certificate of the host; the finished command."""
    tls = f"--cacert /etc/tandem/tls/ca.pem --cert /etc/tandem/tls/{name}/certificate.pem"
    return host.run(f"curl -sS -m 10 {tls} --key /etc/tandem/tls/{name}/key.pem {' '.join(options)} {url}")


def api(host: Any, server: str, path: str) -> Any:
    result = curl(host, f"https://{server}:9093/api/v2/{path}")
    assert result.rc == 0, result.stderr
    return json.loads(result.stdout)


def post(hosts: dict[str, Any], *alerts: dict[str, str], minutes: int = 5) -> None:
    """Post alerts to both Alertmanagers, as two Prometheis would; negative minutes: they are over."""
    end = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    body = json.dumps(
        [{"labels": labels, "annotations": {"runbook_url": "docs/x.md"}, "endsAt": end} for labels in alerts]
    )
    for name, host in hosts.items():
        options = ("-f", "-X POST", "-H 'Content-Type: application/json'", f"-d '{body}'")
        result = curl(host, f"https://{name}:9093/api/v2/alerts", *options)
        assert result.rc == 0, result.stderr


def received(hosts: dict[str, Any], path: str = "/alerts") -> list[dict[str, Any]]:
    text = hosts["m-am-msk"].run("cat /var/lib/received").stdout
    return [item for item in map(json.loads, text.splitlines()) if item["path"] == path]


def told_of(hosts: dict[str, Any], key: str, value: str) -> list[tuple[str, str]]:
    """Status and alert's name of all notifications with an alert that has this label."""
    return [
        (item["status"], alert["labels"]["alertname"])
        for item in received(hosts)
        for alert in item["alerts"]
        if alert["labels"].get(key) == value
    ]


def wait(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(1)


def alert(name: str, severity: str = "page", **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity} | labels


def new() -> str:
    return f"x{uuid.uuid4().hex[:8]}"


# --- who gets in -----------------------------------------------------------------------------------------------------


def test_it_listens_on_the_hosts_address_alone(host: Any) -> None:
    mine = ADDRESSES[str(host.backend.host)]
    others = {"0.0.0.0:22", "[::]:22", f"{ADDRESSES['m-am-msk']}:8080", f"{ADDRESSES['m-am-msk']}:2525"}
    listens = {line.split()[3] for line in said(host, "ss -Hlnt").splitlines()} - others
    assert listens == {f"{mine}:9093", f"{mine}:9094"}


def test_debians_unit_never_ran(host: Any) -> None:
    assert said(host, "systemctl show -P LoadState prometheus-alertmanager") == "masked"
    assert (
        said(host, "journalctl --no-pager -q -u prometheus-alertmanager.service --grep Started || true") == ""
    )
    assert host.service(UNIT).is_running
    assert host.service(UNIT).is_enabled


@pytest.mark.parametrize("port", [9093, 9094])
def test_only_tls_1_3_is_spoken(host: Any, port: int) -> None:
    mine = ADDRESSES[str(host.backend.host)]
    tls = "-cert /etc/tandem/tls/alertmanager/certificate.pem -key /etc/tandem/tls/alertmanager/key.pem"
    connect = (
        f"openssl s_client -connect {mine}:{port} -CAfile /etc/tandem/tls/ca.pem -verify_return_error {tls}"
    )
    assert host.run(f"{connect} -tls1_3 </dev/null").rc == 0
    assert host.run(f"{connect} -tls1_2 </dev/null").rc != 0


def test_only_named_hosts_may_ask(host: Any) -> None:
    mine = str(host.backend.host)
    assert curl(host, f"https://{mine}:9093/-/healthy").rc == 0
    assert curl(host, f"https://{mine}:9093/-/healthy", name="stranger").rc != 0
    assert host.run(f"curl -sS -m 10 --cacert /etc/tandem/tls/ca.pem https://{mine}:9093/-/healthy").rc != 0


def test_only_alertmanager_reads_the_token(host: Any) -> None:
    token = host.file("/etc/tandem/alertmanager/webhook_token")
    assert (token.user, token.group, token.mode, token.content_string) == (
        "root",
        "alertmanager",
        0o640,
        TOKEN,
    )
    assert host.run(f"grep -rq {TOKEN} /etc/tandem/alertmanager/alertmanager.yml").rc == 1
    assert not host.file("/etc/tandem/alertmanager/dead_man_token").exists


def test_the_unit_is_sandboxed(host: Any) -> None:
    exposure = said(host, f"systemd-analyze security --no-pager {UNIT}.service").splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure
    assert said(host, f"ps -o user:20= -p $(systemctl show -P MainPID {UNIT})") == "alertmanager"


# --- routes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=Watchdog severity=ticket", "dead_man"),
        ("alertname=HostDown severity=page host=x", "people"),
        ("alertname=DeadLetters severity=ticket", "people"),
    ],
)
def test_routes(host: Any, labels: str, receiver: str) -> None:
    told = said(
        host, f"amtool config routes test --config.file=/etc/tandem/alertmanager/alertmanager.yml {labels}"
    )
    assert told == receiver


# --- one cluster -----------------------------------------------------------------------------------------------------


def test_they_are_one_cluster(host: Any) -> None:
    wait(lambda: len(api(host, str(host.backend.host), "status")["cluster"]["peers"]) == 2)


def test_one_notification_not_two_and_it_resolves(hosts: dict[str, Any]) -> None:
    name = new()
    post(hosts, alert("RabbitmqNodeDown", host=name, site=name))
    wait(lambda: told_of(hosts, "host", name))
    wait(lambda: any(name in item["text"] for item in received(hosts, "mail")))
    time.sleep(25)  # the second of a cluster waits 15 s for the first
    assert told_of(hosts, "host", name) == [("firing", "RabbitmqNodeDown")]
    (mail,) = [item for item in received(hosts, "mail") if name in item["text"]]
    assert mail["subject"].split() == ["FIRING", "page:", "RabbitmqNodeDown", name, "(1)"]
    assert "operators@example.org" in mail["to"]
    assert {item["token"] for item in received(hosts)} == {f"Bearer {TOKEN}"}
    post(hosts, alert("RabbitmqNodeDown", host=name, site=name), minutes=-1)
    wait(lambda: len(told_of(hosts, "host", name)) > 1, 120)
    time.sleep(20)
    assert told_of(hosts, "host", name) == [("firing", "RabbitmqNodeDown"), ("resolved", "RabbitmqNodeDown")]


def test_a_lost_site_is_one_page(hosts: dict[str, Any]) -> None:
    site = new()
    post(
        hosts,
        alert("SiteDown", site=site),
        *(alert("HostDown", site=site, host=f"{site}-{number}") for number in range(3)),
        alert("RabbitmqNodeDown", site=site, host=f"{site}-1", job="rabbitmq"),
        alert("TargetDown", "ticket", site=site, host=f"{site}-2", job="node"),
    )
    wait(lambda: told_of(hosts, "site", site))
    time.sleep(45)  # tickets wait 30 s for others
    assert told_of(hosts, "site", site) == [("firing", "SiteDown")]


def test_a_lost_host_holds_back_its_own_alerts_only(hosts: dict[str, Any]) -> None:
    site = new()
    post(
        hosts,
        alert("HostDown", site=site, host=f"{site}-1"),
        alert("PostgresOneNodeOnly", site=site, host=f"{site}-1"),
        alert("RabbitmqNodeDown", site=site, host=f"{site}-2"),
    )
    wait(lambda: len(told_of(hosts, "site", site)) == 2)
    assert {name for _, name in told_of(hosts, "site", site)} == {"HostDown", "RabbitmqNodeDown"}


def test_the_dead_mans_switch_is_fed(hosts: dict[str, Any]) -> None:
    post(hosts, alert("Watchdog", "ticket"))
    wait(lambda: received(hosts, "/alive"))
    assert not [item for item in received(hosts) if item["alerts"][0]["labels"]["alertname"] == "Watchdog"]


# --- silences --------------------------------------------------------------------------------------------------------


def test_a_restart_silences_that_host_alone(hosts: dict[str, Any]) -> None:
    quiet, loud = new(), new()
    urls = [f"https://{name}:9093" for name in ("nobody.invalid", *ADDRESSES)]
    silence(urls, "silence", quiet)
    wait(lambda: all(len(silences(hosts, name, quiet)) == 1 for name in ADDRESSES))
    post(
        hosts,
        alert("RabbitmqNodeDown", site=quiet, host=quiet),
        alert("RabbitmqNodeDown", site=loud, host=loud),
    )
    wait(lambda: told_of(hosts, "host", loud))
    time.sleep(20)
    assert told_of(hosts, "host", quiet) == []
    silence(urls, "unsilence", quiet)
    wait(lambda: all(not silences(hosts, name, quiet) for name in ADDRESSES))
    wait(lambda: told_of(hosts, "host", quiet), 90)


def test_a_deploy_goes_on_without_any_alertmanager() -> None:
    assert "could not be silenced" in silence(["https://nobody.invalid:9093"], "silence", new())


def silences(hosts: dict[str, Any], name: str, value: str) -> list[Any]:
    """The silences in force of a host, as one Alertmanager knows them."""
    listed = api(hosts[name], name, "silences")
    return [
        item
        for item in listed
        if item["status"]["state"] == "active" and item["matchers"][0]["value"] == value
    ]


def silence(urls: list[str], entry: str, host: str) -> str:
    output = scenario.play(
        SCENARIO / "silence.yml",
        entry=entry,
        alertmanager_silence_servers=urls,
        alertmanager_silence_host=host,
        alertmanager_silence_seconds=300,
    )
    assert "changed=0" in output
    return " ".join(output.split())


# --- changes ---------------------------------------------------------------------------------------------------------


def process(host: Any) -> str:
    return said(host, f"systemctl show -P MainPID {UNIT}")


def test_receivers_change_without_a_restart(hosts: dict[str, Any], tmp_path: Path) -> None:
    before = [process(host) for host in hosts.values()]
    (tmp_path / "token").write_text("another-token\n")
    told = play("--diff", dead_man_token_file=str(tmp_path / "token"))
    assert "another-token" not in told
    for host in hosts.values():
        assert host.file("/etc/tandem/alertmanager/dead_man_token").content_string == "another-token"
        assert "dead_man_token" in host.file("/etc/tandem/alertmanager/alertmanager.yml").content_string
    play()
    assert not hosts["m-am-msk"].file("/etc/tandem/alertmanager/dead_man_token").exists
    assert [process(host) for host in hosts.values()] == before


def test_what_alertmanager_does_not_understand_changes_nothing(hosts: dict[str, Any]) -> None:
    host = hosts["m-am-msk"]
    kept = host.file("/etc/tandem/alertmanager/alertmanager.yml").content_string
    with pytest.raises(AssertionError, match="Nothing was written"):
        play(alertmanager_webhook={"url": "nowhere"})
    assert host.file("/etc/tandem/alertmanager/alertmanager.yml").content_string == kept
