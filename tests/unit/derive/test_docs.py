"""The reference names every key that there is."""

import re

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils import (
    alerts,
    apt_repositories,
    autoscaling,
    catalog,
    events,
    gateway,
    prometheus_settings,
    settings,
    timeout_profiles,
)
from ansible_collections.tandem.platform.plugins.plugin_utils.config_view import HOST_VIEWS, PLATFORM_VIEWS
from ansible_collections.tandem.platform.plugins.plugin_utils.service_names import BROKER_NAMES, VALKEY_NAMES
from ansible_collections.tandem.platform.plugins.plugin_utils.service_rules import PLATFORM_PORTS
from ansible_collections.tandem.platform.plugins.plugin_utils.views_rabbitmq import RETRY_DELAYS_MS

MODELS = [
    *(catalog.Service, catalog.Database, catalog.Limits, catalog.Logging, catalog.Secret),
    *(gateway.Gateway, gateway.TokenSettings, gateway.RateLimits, gateway.Rate),
    prometheus_settings.PrometheusSettings,
    *(settings.Site, settings.PostgresSettings, settings.RabbitmqSettings, settings.EdgeCertificate),
    *(alerts.Alerts, alerts.Email, alerts.Hook, alerts.Objectives),
    *(timeout_profiles.PostgresTimeouts, timeout_profiles.ClientTimeouts, timeout_profiles.HaproxyTimeouts),
    apt_repositories.AptRepository,
    *(timeout_profiles.RabbitmqTimeouts, events.Consumption, autoscaling.Autoscale),
]


@pytest.fixture
def text(root):
    return (root / "docs" / "catalog.md").read_text()


@pytest.fixture
def words(text):
    """Every word that the reference shows as code."""
    return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text))))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_keys_of_a_model(words, model):
    assert set(model.model_fields) - words == set()


def test_variables(words):
    known = {f"platform_{name}" for name in settings.Platform.model_fields} | set(settings.HOST_VARIABLES)
    assert known - words == set()


def test_views_and_profiles(words):
    assert {*PLATFORM_VIEWS, *HOST_VIEWS, *timeout_profiles.PROFILES} - words == set()


def test_ports(text):
    table = text.partition("### Ports")[2]
    found = {int(port) for port in re.findall(r"\d+", table)}
    for first, last in re.findall(r"(\d+) to (\d+)", table):
        found |= set(range(int(first), int(last)))
    assert set(PLATFORM_PORTS) - found == set()


def test_what_services_are_told_of_the_broker(words):
    assert BROKER_NAMES - words == set()


def test_what_services_are_told_of_valkey(words):
    assert VALKEY_NAMES - words == set()


def test_retry_delays(text, words):
    assert set(RETRY_DELAYS_MS) - words == set()
