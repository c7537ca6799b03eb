"""What the role promises to scrapers, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.haproxy import ADDRESS, as_caller, ask, wait

testinfra_hosts = ["ansible://haproxy"]

METRICS = f"https://{ADDRESS}:8405"
SCRAPER = as_caller("m-haproxy")


def test_metrics_of_haproxy(sudo: Any) -> None:
    answer = ask(sudo, f"{METRICS}/metrics", *SCRAPER)
    assert answer.status == 200
    assert "haproxy_process_uptime_seconds" in answer.body


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/service/users/1", "5000"),
        ("/service/users/2", "5001"),
        ("/service/users/1?path=/secrets", "5000"),
        ("/service/mailer/1", "/run/tandem-metrics/mailer/1.sock"),
    ],
)
def test_metrics_of_one_instance(sudo: Any, path: str, instance: str) -> None:
    answer = ask(sudo, METRICS + path, *SCRAPER, "--header 'X-Tandem-Subject: somebody'")
    assert answer.status == 200
    assert (answer.json["instance"], answer.json["path"]) == (instance, "/metrics")
    assert not [name for name in answer.json["headers"] if name.lower().startswith("x-tandem")]


@pytest.mark.parametrize(
    "path", ["/", "/users/", "/metrics/", "/service/users/3", "/service/users/1/", "/service/orders/1"]
)
def test_nothing_else_is_there(sudo: Any, path: str) -> None:
    assert ask(sudo, METRICS + path, *SCRAPER).status == 404


@pytest.mark.parametrize("path", ["/metrics", "/service/users/1"])
def test_only_scrapers_read_and_only_read(sudo: Any, path: str) -> None:
    assert ask(sudo, METRICS + path, *as_caller("m-other")).status == 403
    for method in ("POST", "DELETE", "PUT"):
        assert ask(sudo, METRICS + path, *SCRAPER, f"--request {method}").status == 405
    assert sudo.run(f"curl --silent --insecure {METRICS}{path}").rc != 0
    assert sudo.run(f"curl --silent http://{ADDRESS}:8405{path}").rc != 0


def test_no_other_instance_answers_for_one_that_is_down(sudo: Any) -> None:
    assert ask(sudo, f"{METRICS}/service/mailer/2", *SCRAPER).status == 503
    sudo.check_output("systemctl stop instance@5001")
    assert ask(sudo, f"{METRICS}/service/users/2", *SCRAPER).status == 503
    assert ask(sudo, f"{METRICS}/service/users/1", *SCRAPER).status == 200


def test_a_worker_that_starts_later_is_found(sudo: Any) -> None:
    sudo.check_output("systemctl start mailer@2")
    try:
        wait(lambda: ask(sudo, f"{METRICS}/service/mailer/2", *SCRAPER).status == 200)
    finally:
        sudo.check_output("systemctl stop mailer@2")
