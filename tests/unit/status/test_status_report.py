"""The screen, and what counts as a problem."""

import copy
from datetime import UTC, datetime

import pytest
from ansible_collections.tandem.platform.plugins.filter.status_report import FilterModule
from ansible_collections.tandem.platform.plugins.plugin_utils import status_report as reports

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PLATFORM = reports.Platform(
    "shop", {"msk-app1": "msk", "spb-app1": "spb", "msk-data1": "msk", "wit1": "wit"}, ["DeadMansSwitch"]
)


def service(running=2, wanted=2, drained=0, outdated=0):
    return {"running": running, "wanted": wanted, "drained": drained, "outdated": outdated}


def quiet(**more):
    return {"services": {}, "certificates": {}, "failed_units": [], "errors": {}, **more}


WELL = {
    "msk-app1": quiet(
        services={"orders": service(), "users": service(1, 1)},
        certificates={"haproxy": "2032-01-01 00:00:00Z"},
    ),
    "spb-app1": quiet(services={"orders": service()}, certificates={"haproxy": "2031-01-01 00:00:00Z"}),
    "msk-data1": quiet(
        outboxes={"orders": {"rows": 3, "seconds": 0.4}, "users": {"rows": 0, "seconds": 0.0}},
        broker={"members": ["a", "b", "c"], "running": ["a", "b", "c"]},
    ),
    "wit1": quiet(
        monitor={
            "primary": "msk-data1",
            "nodes": {"msk-data1": "msk-data1 is primary", "spb-data1": "spb-data1 is secondary"},
            "problems": [],
            "marker": None,
        },
        alerts=[{"name": "DeadMansSwitch", "severity": "none", "summary": "It works"}],
    ),
}


@pytest.fixture
def found():
    return copy.deepcopy(WELL)


def made(found, away=None):
    return reports.report(found, away or {}, PLATFORM, NOW)


def test_a_platform_that_is_well(found):
    report = made(found)
    assert report.problems == []
    assert (
        "\n".join(report.lines)
        == """\
shop is well (2030-01-01 00:00:00 UTC)

hosts         4 of 4 answer
database      primary msk-data1; msk-data1 is primary; spb-data1 is secondary
outboxes      the oldest event waits 0.4 s (orders), 3 in all
broker        3 of 3 nodes run, with a quorum
services                  msk      spb
              orders      2/2      2/2
              users       1/1
certificates  the first of 2 ends in 365 days (haproxy of spb-app1)
backups       none are set up
failed units  none
alerts        none fire"""
    )


def change(path, value):
    def apply(found):
        *folders, last = path
        place = found
        for folder in folders:
            place = place[folder]
        place[last] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "problem"),
    [
        (
            change(("msk-app1", "services", "orders"), service(1)),
            "orders on msk-app1: 1 of 2 instances run",
        ),
        (
            change(("msk-app1", "services", "users"), service(1, 1, 1)),
            "users on msk-app1: 1 instance drained",
        ),
        (
            change(("msk-app1", "services", "users"), service(1, 1, 0, 1)),
            "users on msk-app1: 1 instance out of date until the next deployment",
        ),
        (
            change(("msk-app1", "certificates", "haproxy"), "2030-01-11 00:00:00Z"),
            "certificate haproxy of msk-app1 ends in 10 days",
        ),
        (
            change(("msk-app1", "certificates", "haproxy"), "2029-12-31 00:00:00Z"),
            "certificate haproxy of msk-app1 has ended",
        ),
        (change(("msk-app1", "failed_units"), ["x.service"]), "unit x.service on msk-app1 has failed"),
        (
            change(("msk-app1", "errors"), {"services": "no bus"}),
            "services of msk-app1 can't be found out: no bus",
        ),
        (
            change(("msk-data1", "outboxes", "orders"), {"rows": 1, "seconds": 61.0}),
            "outbox of orders: 1 event, the oldest since 61 s",
        ),
        (
            change(("msk-data1", "broker"), {"members": ["a", "b", "c"], "running": ["a", "c"]}),
            "broker: b does not run",
        ),
        (change(("msk-data1", "broker"), None), "broker: no node can be asked"),
        (change(("wit1", "monitor", "problems"), ["no node takes writes"]), "database: no node takes writes"),
        (
            change(("wit1", "monitor", "marker"), {"standby": "spb-data1", "seconds": 9.0}),
            "database: it runs on one copy for 9 s (docs/stall-guard.md)",
        ),
        (
            change(("wit1", "monitor"), None),
            "nobody knows which database node leads: the failover monitor can't be asked",
        ),
        (
            change(("wit1", "alerts"), [{"name": "HostDown", "severity": "page", "summary": "gone"}]),
            "alert HostDown (page): gone",
        ),
    ],
)
def test_each_problem_is_said(found, apply, problem):
    apply(found)
    report = made(found)
    assert report.problems == [problem]
    assert report.lines[0].startswith("shop has 1 problem (")
    assert report.lines[-2:] == ["Problems:", f"- {problem}"]


def test_dead_hosts_are_a_problem_and_the_rest_is_told(found):
    del found["wit1"], found["msk-data1"]
    report = made(found, {"wit1": "no route", "msk-data1": "timed out"})
    assert "hosts         2 of 4 answer" in report.lines
    assert "wit1 does not answer: no route" in report.problems
    assert "alerts        no Alertmanager can be asked" in report.lines
    assert "outboxes      not known" in report.lines
    assert len(report.problems) == 4


def test_nobody_answers():
    assert made({}, {"a": "dead"}).problems[0] == "a does not answer: dead"


def test_the_larger_part_of_a_broken_cluster_counts(found):
    found["msk-app1"]["broker"] = {"members": ["a", "b", "c"], "running": ["c"]}
    assert made(found).problems == []
    found["msk-data1"]["broker"] = {"members": ["a", "b", "c"], "running": ["a"]}
    assert "broker        1 of 3 nodes run, WITHOUT A QUORUM" in made(found).lines


def test_an_alert_of_two_alertmanagers_is_one(found):
    alert = {"name": "HostDown", "severity": "page", "summary": "gone"}
    found["wit1"]["alerts"] = [alert]
    found["msk-app1"]["alerts"] = [alert]
    assert made(found).problems == ["alert HostDown (page): gone"]


def test_the_filter_returns_plain_data(found):
    platform = {"name": "shop", "hosts": {name: {"site": site} for name, site in PLATFORM.sites.items()}}
    answer = FilterModule().filters()["status_report"](found, platform, {}, ["DeadMansSwitch"])
    assert set(answer) == {"lines", "problems"}
