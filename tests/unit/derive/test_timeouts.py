"""The profiles keep what they promise on paper; measurements are the lab's."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.problems import Report
from ansible_collections.tandem.platform.plugins.plugin_utils.timeout_profiles import FAST, PROFILES, WIDE
from ansible_collections.tandem.platform.plugins.plugin_utils.timeouts import SLACK_MS, check_safety, choose


@pytest.mark.parametrize("name", ["fast", "normal", "wide"])
def test_profile_is_safe(name):
    report = Report()
    assert choose(name, report) == PROFILES[name]
    assert (report.problems, report.warnings) == ([], [])


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_standby_gives_up_the_primary_no_earlier_than_the_primary_gives_it_up(profile):
    assert profile.postgres.wal_receiver_timeout_ms >= profile.postgres.wal_sender_timeout_ms


def test_promises():
    assert (FAST.promise.single_fault_s, FAST.promise.switchover_s, FAST.promise.measured) == (12, 2, True)
    assert (WIDE.promise.single_fault_s, WIDE.promise.measured) == (None, False)
    assert "not measured" in WIDE.promise.text


@pytest.mark.parametrize("measured", [profile for profile in PROFILES.values() if profile.promise.measured])
def test_haproxy_notices_a_dead_server_within_half_the_promise(measured):
    checks = measured.haproxy
    noticed = checks.check_interval_ms * checks.fall + checks.check_timeout_ms
    assert noticed <= measured.promise.single_fault_s * 1000 / 2


def test_the_inequality_is_strict():
    postgres = FAST.postgres
    limit = postgres.node_considered_unhealthy_timeout_ms + postgres.primary_demote_timeout_ms
    equal = limit - postgres.network_partition_timeout_s * 1000 - SLACK_MS
    for value, safe in ((equal - 1, True), (equal, False)):
        report = Report()
        changed = postgres.model_copy(update={"wal_sender_timeout_ms": value})
        check_safety(FAST.model_copy(update={"postgres": changed}), report)
        assert (report.problems == []) is safe


def test_own_values_replace_the_profiles_and_its_promise():
    report = Report()
    profile = choose({"profile": "fast", "haproxy": {"fall": 3}, "client": {"connect_timeout_s": 3}}, report)
    assert report.problems == []
    assert (profile.haproxy.fall, profile.haproxy.rise, profile.client.connect_timeout_s) == (3, 2, 3)
    assert profile.postgres == FAST.postgres
    assert (profile.promise.single_fault_s, profile.promise.measured) == (None, False)
    assert "does not hold" in report.warnings[0]


def test_the_clients_limits_are_in_the_connection_strings(case):
    case.platform["platform_timeouts"] = "wide"
    dsn = case.platform_views["views"]["msk-app1"]["services"][0]["environment"]["DATABASE_DSN"]
    assert "connect_timeout=5 tcp_user_timeout=5000 keepalives_idle=2" in dsn
