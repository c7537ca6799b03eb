"""What the promtail role promises, with two Lokis of the test's own."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import scenario
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
SECRETS = INVENTORY / ".secrets"
ADDRESS = "10.61.0.115"
LOKIS = {"msk": 3101, "spb": 3102}
METRICS = {"msk": 9080, "spb": 9081}
TLS = "/etc/tandem/tls"
BATCH = 256 * 1024
CALLER = f"--cacert {TLS}/ca.pem --cert {TLS}/promtail/certificate.pem --key {TLS}/promtail/key.pem"
play = partial(scenario.play, SCENARIO / "converge.yml")


def wait(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.5)


def written(host: Any, loki: str, mark: str) -> list[dict[str, Any]]:
    """What a Loki has of the lines with a mark, labels as a dict; not those in which sudo tells of the test itself."""
    found = host.run(f"grep -hF '{mark}' /srv/loki/{LOKIS[loki]}.jsonl").stdout.splitlines()
    entries = [json.loads(line) for line in found if "COMMAND=" not in line]
    return [{**entry, "labels": labels(entry["labels"])} for entry in entries]


def labels(text: str) -> dict[str, str]:
    """{a="b", c="d"} as a dict."""
    pairs = (pair.split("=", 1) for pair in text.strip("{}").split(", "))
    return {name: json.loads(value) for name, value in pairs}


def one(host: Any, mark: str, loki: str = "msk") -> dict[str, Any]:
    """The only entry with a mark, once it is there."""
    wait(lambda: bool(written(host, loki, mark)), f"{mark} at {loki}")
    (entry,) = written(host, loki, mark)
    return entry


def service_says(host: Any, name: str, *lines: str, options: str = "") -> None:
    """Lines of a service in a journal of its own, as its unit writes them."""
    script = "\n".join(lines)
    said(host, f"printf '%s\\n' '{script}' >/tmp/lines")
    unit = f"--unit={name}@1 -p LogNamespace={name} -p SyslogIdentifier={name}@1 --wait --quiet"
    said(host, f"systemd-run {unit} {options} /bin/cat /tmp/lines")


def mark() -> str:
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture(autouse=True)
def _lokis(host: Any) -> None:
    units = " ".join(f"test-loki@{port}" for port in LOKIS.values())
    said(host, f"systemctl start {units}")


# --- what arrives ----------------------------------------------------------------------------------------------------


def test_a_line_of_a_service_at_both_lokis(host: Any) -> None:
    text = mark()
    line = json.dumps(
        {
            "event": text,
            "level": "warning",
            "service": "somebody else",
            "host": "elsewhere",
            "request_id": "r-1",
            "user_id": "u-1",
            "order_id": "o-1",
        }
    )
    service_says(host, "users", line)
    for loki in LOKIS:
        entry = one(host, text, loki)
        assert entry["labels"] == {
            "site": "msk",
            "host": "m-promtail",
            "service": "users",
            "level": "warning",
        }
        assert entry["metadata"] == {"request_id": "r-1", "user_id": "u-1", "order_id": "o-1"}
        assert entry["line"] == line
        assert entry["from"] == "m-promtail"
        assert abs(entry["time"] / 1e9 - time.time()) < 120


@pytest.mark.parametrize("level", ["x", "INFO", "", 7, None, ["error"]])
def test_a_line_can_not_make_levels_of_its_own(host: Any, level: Any) -> None:
    text = mark()
    service_says(
        host, "users", json.dumps({"event": text, "level": level, "request_id": "", "user_id": None})
    )
    entry = one(host, text)
    assert entry["labels"]["level"] == "info"
    assert entry["metadata"] == {}


def test_what_is_not_json_arrives_as_it_is(host: Any) -> None:
    text = mark()
    service_says(host, "users", f"{text} Traceback (most recent call last): {{")
    assert one(host, text)["line"] == f"{text} Traceback (most recent call last): {{"


@pytest.mark.parametrize(
    ("unit", "priority", "service", "level"),
    [
        ("tandem-postgres", "err", "postgres", "error"),
        ("haproxy", "notice", "haproxy", "info"),
        ("tandem-rabbitmq", "crit", "rabbitmq", "critical"),
        ("run-abc123", "debug", "run", "debug"),
        ("ssh@1-a", "warning", "ssh", "warning"),
        ("users@7", "warning", "system", "warning"),
    ],
)
def test_lines_of_units_in_the_systems_journal(
    host: Any, unit: str, priority: str, service: str, level: str
) -> None:
    text = mark()
    said(host, f"systemd-run --unit={unit} -p SyslogLevel={priority} --wait --quiet /bin/echo {text}")
    lines = [entry for entry in wait_for_lines(host, text) if entry["line"] == text]
    assert [(entry["labels"]["service"], entry["labels"]["level"]) for entry in lines] == [(service, level)]


def wait_for_lines(host: Any, text: str) -> list[dict[str, Any]]:
    wait(lambda: any(entry["line"] == text for entry in written(host, "msk", text)), text)
    return written(host, "msk", text)


def test_the_level_of_rabbitmqs_lines(host: Any) -> None:
    text = mark()
    line = f"2026-11-26 01:00:00.000000+00:00 [error] <0.1.0> {text}"
    said(host, f"systemd-run --unit=tandem-rabbitmq --wait --quiet /bin/echo '{line}'")
    wait(lambda: any(entry["line"] == line for entry in written(host, "msk", text)), text)
    entry = next(entry for entry in written(host, "msk", text) if entry["line"] == line)
    assert (entry["labels"]["service"], entry["labels"]["level"]) == ("rabbitmq", "error")


def test_lines_of_haproxy_have_the_user_of_the_token(host: Any) -> None:
    text = mark()
    line = json.dumps({"request_id": text, "api_client": "", "subject": "u-9", "status": 200})
    said(host, f"printf '%s\\n' '{line}' >/tmp/lines")
    said(host, "systemd-run --unit=haproxy --wait --quiet /bin/cat /tmp/lines")
    entry = one(host, text)
    assert entry["labels"] == {"site": "msk", "host": "m-promtail", "service": "haproxy", "level": "info"}
    assert entry["metadata"] == {"request_id": text, "user_id": "u-9"}


def test_what_systemd_says_of_a_service_is_not_in_its_stream(host: Any) -> None:
    """Another journal: after an outage its lines may come an hour before those of the service."""
    service_says(host, "orders", "nothing")
    deactivated = "orders@1.service: Deactivated successfully"
    wait(lambda: bool(written(host, "msk", deactivated)), "systemd's line")
    assert {entry["labels"]["service"] for entry in written(host, "msk", deactivated)} == {"system"}


def nginx_logs(host: Any, name: str, line: str) -> None:
    """A line in one of NGINX's files, which its user and the group adm can read."""
    log = f"/var/log/nginx/{name}.log"
    said(host, f"touch {log} && chgrp adm {log} && chmod 640 {log}")
    said(host, f"cat >>{log} <<'END'\n{line}\nEND")


def test_lines_of_nginx(host: Any) -> None:
    """Their time is that of the request, however late they come."""
    text, moment = mark(), int(time.time()) - 600
    when = said(host, f"date --iso-8601=seconds -d @{moment}")
    access = {"time": when, "request_id": "r-2", "host": "shop", "path": f"/{text}", "status": 200}
    nginx_logs(host, "access", json.dumps(access))
    entry = one(host, text)
    assert entry["labels"] == {"site": "msk", "host": "m-promtail", "service": "nginx", "level": "info"}
    assert entry["metadata"] == {"request_id": "r-2"}
    assert entry["time"] == moment * 10**9


@pytest.mark.parametrize(
    ("word", "level"), [("warn", "warning"), ("error", "error"), ("crit", "critical"), ("notice", "info")]
)
def test_lines_of_nginxs_error_log(host: Any, word: str, level: str) -> None:
    text, moment = mark(), int(time.time()) - 600
    when = said(host, f"date '+%Y/%m/%d %H:%M:%S' -d @{moment}")
    request = f'request: "GET /{text}?token=hunter2&x=1 HTTP/2.0", host: "shop"'
    nginx_logs(host, "error", f"{when} [{word}] 12#12: *3 upstream timed out, client: 192.0.2.1, {request}")
    entry = one(host, text)
    assert entry["labels"]["level"] == level
    assert f'"GET /{text}?[hidden] HTTP/2.0", host: "shop"' in entry["line"]
    assert "hunter2" not in entry["line"]
    assert entry["time"] // 10**9 == moment


def test_a_rotated_file_is_followed(host: Any) -> None:
    before, after = mark(), mark()
    log = "/var/log/nginx/access.log"
    said(host, f"touch {log}; chgrp adm {log}; chmod 640 {log}; echo {before} >>{log}; mv {log} {log}.1")
    said(host, f"install -m 640 -g adm /dev/null {log} && echo {after} >>{log}")
    one(host, before)
    one(host, after)


# --- nothing is lost -------------------------------------------------------------------------------------------------


def test_a_loki_that_is_away_stops_only_its_own_and_loses_nothing(host: Any) -> None:
    """More than one batch is written meanwhile, so that the instance stands still and must go on where it stood."""
    text = mark()
    said(host, f"systemctl stop test-loki@{LOKIS['spb']}")
    count, each = 4000, 300
    assert count * each > 4 * BATCH
    maker = f"for i in range({count}): print('{text}', i, 'x' * {each})"
    for name in ("users", "orders"):
        unit = f"--unit={name}@1 -p LogNamespace={name} -p LogRateLimitIntervalSec=0 --wait --quiet"
        said(host, f'systemd-run {unit} /usr/bin/python3 -c "{maker}"')
    wait(lambda: len(numbers(host, "msk", text)) == 2 * count, "all of it at the one that is there", 120)
    assert written(host, "spb", text) == []
    time.sleep(15)
    said(host, f"systemctl start test-loki@{LOKIS['spb']}")
    wait(lambda: len(numbers(host, "spb", text)) == 2 * count, "all of it at the other one", 120)
    assert numbers(host, "msk", text) == numbers(host, "spb", text)


def numbers(host: Any, loki: str, text: str) -> set[tuple[str, int]]:
    """Service and number of the lines that begin with a mark; systemd repeats the command, too."""
    found = [entry for entry in written(host, loki, text) if entry["line"].startswith(text)]
    return {(entry["labels"]["service"], int(entry["line"].split()[1])) for entry in found}


def test_what_is_written_while_an_instance_is_stopped_comes_later(host: Any) -> None:
    text = mark()
    said(host, "systemctl stop promtail@msk")
    service_says(host, "users", *(f"{text} {number}" for number in range(50)))
    said(host, "systemctl start promtail@msk")
    wait(lambda: len(numbers(host, "msk", text)) == 50, "all lines")


def test_it_ends_in_time_and_comes_back_though_its_loki_is_away(host: Any) -> None:
    said(host, f"systemctl stop test-loki@{LOKIS['spb']}")
    text = mark()
    service_says(host, "users", text)
    time.sleep(4)
    started = time.monotonic()
    said(host, "systemctl restart promtail@spb")
    assert time.monotonic() - started < 15
    later = mark()
    service_says(host, "users", later)
    said(host, f"systemctl start test-loki@{LOKIS['spb']}")
    one(host, later, "spb")


# --- who may do what -------------------------------------------------------------------------------------------------


def test_metrics_are_shown_to_holders_of_a_certificate_only(host: Any) -> None:
    for name, port in METRICS.items():
        url = f"https://{ADDRESS}:{port}/metrics"
        assert "promtail_sent_entries_total" in said(host, f"curl -sS {CALLER} {url}"), name
        assert host.run(f"curl -sS --cacert {TLS}/ca.pem {url}").rc != 0
        assert host.run(f"curl -sS http://{ADDRESS}:{port}/metrics").stdout.find("promtail_sent") == -1


def test_it_listens_on_the_hosts_address_alone(host: Any) -> None:
    listens = {line.split()[3] for line in said(host, "ss -Hlntp | grep promtail").splitlines()}
    assert listens == {f"{ADDRESS}:{port}" for port in METRICS.values()}


def test_the_packages_unit_is_masked(host: Any) -> None:
    assert said(host, "systemctl show -P LoadState promtail.service") == "masked"


@pytest.mark.parametrize("name", sorted(LOKIS))
def test_the_unit_is_sandboxed(host: Any, name: str) -> None:
    unit = f"promtail@{name}"
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled
    exposure = said(host, f"systemd-analyze security --no-pager {unit}.service").splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure
    process = said(host, f"systemctl show -P MainPID {unit}")
    assert said(host, f"ps -o user= -p {process}") == "promtail"
    assert said(host, f"ls /proc/{process}/root/var/log").split() == ["journal", "nginx"]
    assert said(host, f"ls /proc/{process}/root/var/log/journal").split() == ["orders", "system", "users"]


def test_idle_cost(host: Any) -> None:
    """Two are on every host of a lab of two processors."""
    seconds = 20
    for name in LOKIS:
        usage = f"systemctl show -P CPUUsageNSec promtail@{name}"
        before = int(said(host, usage))
        time.sleep(seconds)
        share = (int(said(host, usage)) - before) / 1e9 / seconds
        process = said(host, f"systemctl show -P MainPID promtail@{name}")
        memory = said(host, f"grep -E '^(VmRSS|RssAnon)' /proc/{process}/status").split()
        print(f"\npromtail@{name}: {share * 100:.2f} % of a core, {' '.join(memory)}, 3 journals and 2 files")
        assert share < 0.02


# --- changes ---------------------------------------------------------------------------------------------------------


def processes(host: Any) -> list[str]:
    return [said(host, f"systemctl show -P MainPID promtail@{name}") for name in LOKIS]


def test_a_new_service_is_read_after_one_restart(host: Any) -> None:
    before = processes(host)
    play(promtail_journals=["billing", "orders", "users"])
    assert all(old != new for old, new in zip(before, processes(host), strict=True))
    text = mark()
    service_says(host, "billing", text)
    assert one(host, text)["labels"]["service"] == "billing"
    assert "changed=0" in play(promtail_journals=["billing", "orders", "users"])
    play()


def test_a_new_certificate_is_taken_without_a_restart(host: Any) -> None:
    before = processes(host)
    # By its name, as the scraper asks: to callers who name no host it shows the one that it started with.
    connect = f"openssl s_client -connect {ADDRESS}:9080 -servername m-promtail"
    serial = f"{connect} </dev/null 2>/dev/null | openssl x509 -noout -serial"
    old = said(host, serial)
    (SECRETS / "certificates" / "m-promtail" / "promtail.pem").unlink()
    play()
    assert said(host, serial) != old
    text = mark()
    service_says(host, "users", text)
    one(host, text)
    assert processes(host) == before


def test_what_promtail_does_not_understand_changes_nothing(host: Any) -> None:
    before = processes(host)
    kept = host.file("/etc/tandem/promtail/msk.yml").content_string
    with pytest.raises(AssertionError, match="Nothing was written"):
        play(promtail_host="a: b: c")
    assert host.file("/etc/tandem/promtail/msk.yml").content_string == kept
    assert processes(host) == before
