"""Services are looked at and acted on by their names in the catalog."""

import pytest

from tests.support.playbook import playbook

APP_HOSTS = ["msk-app1", "msk-app2", "spb-app1"]


def act(verb, *options, service="orders"):
    run = playbook("playbooks/service.yml", "-e", f"service={service}", "-e", f"verb={verb}", *options)
    assert run.rc == 0, run.output[-4000:]
    return run


def state(lab, host, unit):
    return lab.run(host, ["systemctl", "is-active", unit]).stdout.strip()


def test_ps_shows_every_instance():
    lines = act("ps").output.splitlines()
    for host in APP_HOSTS:
        rows = [line for line in lines if host in line and "active" in line]
        assert len(rows) == 2, (host, rows)
        assert not [row for row in rows if "out of date" in row]


def test_logs_follow_what_is_written(browser):
    browser(None).ask("GET", "/orders")
    lines = act("logs", "-e", "lines=1", "-e", "follow=4").output.splitlines()
    assert {line.split(" | ")[0] for line in lines if " | " in line} == set(APP_HOSTS)


def test_stop_and_start_on_one_host(lab):
    act("stop", "--limit", "spb-app1")
    assert state(lab, "spb-app1", "orders@1") == "inactive"
    assert state(lab, "msk-app1", "orders@1") == "active"
    act("start", "--limit", "spb-app1")
    assert [state(lab, "spb-app1", f"orders@{i}") for i in (1, 2)] == ["active", "active"]


@pytest.mark.parametrize(
    ("service", "verb", "said"), [("nobody", "ps", "digest, frontend"), ("orders", "explode", "Verbs: ps")]
)
def test_what_is_unknown_is_refused_with_what_there_is(service, verb, said):
    run = playbook("playbooks/service.yml", "-e", f"service={service}", "-e", f"verb={verb}")
    assert run.rc != 0
    assert said in run.output
