"""What people see of the derived structure."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.config_view import MASK, config_view, masked


def test_all_views_of_all_hosts(case):
    shown = config_view(case.platform_views)
    assert set(shown) == {
        *("catalog", "hosts", "sites", "postgres", "rabbitmq", "valkey", "logs", "metrics", "timeouts"),
        *("apps", "smoke", "alerts", "notices"),
        *("etc_hosts", "certificates", "services", "haproxy", "nginx", "exporter"),
    }
    assert set(shown["nginx"]) == set(case.hosts)


def test_one_view_of_all_hosts(case):
    assert set(config_view(case.platform_views, "haproxy")["haproxy"]) == set(case.hosts)


def test_one_host_has_only_what_is_its_own(case):
    shown = config_view(case.platform_views, host="wit1")
    assert set(shown) == {"etc_hosts", "certificates", "services", "haproxy", "nginx", "exporter"}
    assert list(shown["certificates"]) == ["wit1"]


def test_one_view_of_one_host(case):
    platform = case.platform_views
    shown = config_view(platform, "nginx", "msk-edge1")
    assert shown == {"nginx": {"msk-edge1": platform["views"]["msk-edge1"]["nginx"]}}


@pytest.mark.parametrize(
    ("view", "host", "cure"), [("haprox", "", "write haproxy"), ("nginx", "msk-edg1", "write msk-edge1")]
)
def test_unknown_names_have_a_cure(case, view, host, cure):
    with pytest.raises(ValueError, match=cure):
        config_view(case.platform_views, view, host)


def test_secret_looking_values_are_masked_wherever_environments_are(case):
    environment = {"API_TOKEN": "s3cret", "db_password": "s3cret", "MONKEY": "s3cret", "LOG_LEVEL": "info"}
    case.services["users"]["environment"] = environment
    platform = case.platform_views
    shown = config_view(platform)
    assert "s3cret" not in str(shown)
    assert shown["catalog"]["users"]["environment"] == dict.fromkeys(environment, MASK) | {
        "LOG_LEVEL": "info"
    }
    assert "s3cret" in str(platform)


def test_names_of_secrets_stay_readable():
    value = {"secrets": [{"name": "jwt_key"}], "environment": None}
    assert masked(value) == value
