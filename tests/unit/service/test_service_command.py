"""The unit that runs a service's command by hand, and who is asked for dead letters."""

from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.filter.dead_letter_hosts import dead_letter_hosts
from ansible_collections.tandem.platform.plugins.module_utils.service_command import CommandError, unit_text

OWN = """[Unit]
Description=orders-events, instance %i
After=network-online.target

[Service]
Type=exec
TimeoutStopSec=30
ExecStart=/opt/x/bin/orders consume
User=svc-orders-events
WorkingDirectory=/opt/x
EnvironmentFile=/etc/tandem/services/orders-events/revisions/abc/environment
EnvironmentFile=/etc/tandem/services/orders-events/revisions/abc/instance-%i
Environment=PYTHONPATH=/opt/x/site INSTANCE=%i
LoadCredential=broker_password:/etc/tandem/credentials/broker_password
# A comment
ProtectSystem=strict
RuntimeDirectory=tandem-orders-events
SyslogIdentifier=orders-events@%i
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def lines(words: list[str]) -> list[str]:
    return unit_text("orders-events", OWN, words, Path("/run/here"), 60).splitlines()


def test_it_has_the_services_user_credentials_and_sandbox():
    text = lines(["orders", "dead-letters", "list"])
    for kept in (
        "User=svc-orders-events",
        "LoadCredential=broker_password:/etc/tandem/credentials/broker_password",
        "ProtectSystem=strict",
        "EnvironmentFile=/etc/tandem/services/orders-events/revisions/abc/environment",
        "Environment=PYTHONPATH=/opt/x/site INSTANCE=0",
    ):
        assert kept in text
    assert 'ExecStart=/opt/x/bin/orders "dead-letters" "list"' in text


def test_it_runs_once_and_is_not_installed():
    text = lines(["orders", "dead-letters", "list"])
    assert [line for line in text if line.startswith("Type=")] == ["Type=oneshot"]
    assert not [line for line in text if line.startswith(("Restart", "RuntimeDirectory", "[Install]"))]
    assert not [line for line in text if "instance-%i" in line]


def test_nothing_in_arguments_is_expanded():
    start = next(line for line in lines(["orders", 'a "b" $HOME %n \\']) if line.startswith("ExecStart="))
    assert start == r'ExecStart=/opt/x/bin/orders "a \"b\" $$HOME %%n \\"'


def test_a_unit_without_a_folder_is_refused():
    with pytest.raises(CommandError, match="working directory"):
        unit_text("x", "[Service]\nUser=x\n", ["x"], Path("/run/here"), 60)


def platform():
    runs = {
        "msk-app1": ["a", "a-events"],
        "msk-app2": ["a-events", "a-sites"],
        "spb-app1": ["a-events", "a-sites"],
    }
    consumes = {"a-events": {"x": {"per": "platform"}}, "a-sites": {"x": {"per": "site"}}}
    return {
        "services": {
            name: {"consumes": consumes.get(name, {}), "part_of": None if name == "a" else "a"}
            for name in ("a", "a-events", "a-sites")
        },
        "hosts": {host: {"site": host.split("-")[0]} for host in runs},
        "views": {host: {"services": [{"name": name} for name in names]} for host, names in runs.items()},
    }


def test_one_host_is_asked_for_a_consumer_and_one_of_each_site_for_queues_of_sites():
    hosts = ["msk-app1", "msk-app2", "spb-app1"]
    assert dead_letter_hosts(platform(), "a", hosts) == {
        "msk-app1": ["a-events"],
        "msk-app2": ["a-sites"],
        "spb-app1": ["a-sites"],
    }
    assert dead_letter_hosts(platform(), "a-events", hosts[1:]) == {"msk-app2": ["a-events"]}
    assert dead_letter_hosts(platform(), "b", hosts) == {}


def test_what_a_change_says_goes_to_the_services_log():
    text = unit_text("orders-events", OWN, ["orders", "x"], None, 60)
    assert "Standard" not in text
    assert "SyslogIdentifier=orders-events-command" in text
