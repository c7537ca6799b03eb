"""One more service by one catalog entry; removed again, its data stays and is named."""

import json

from tests.support.cluster import primary, psql
from tests.support.playbook import ROOT, playbook

ENTRY = {
    "services_override": {
        "hello": {
            "app": str(ROOT / "tests/e2e/apps/hello"),
            "hosts": "app",
            "instances": 1,
            "port": 5100,
            "routes": ["/hello/"],
            "database": {"name": "hello", "pool": 2, "migrate": ["hello", "migrate"]},
        }
    }
}


def test_entry_gets_everything(lab, browser, logs):
    run = playbook("site.yml", "-e", json.dumps(ENTRY), log=logs / "hello-added.log")
    assert run.rc == 0, run.output[-4000:]
    answer = browser(None).ask("GET", "/hello/")
    assert answer.status == 200, answer
    assert psql(lab, primary(lab), "select 1 from pg_database where datname = 'hello'") == "1"
    for host in ("msk-app1", "msk-app2", "spb-app1"):
        assert lab.run(host, ["systemctl", "is-active", "hello@1"]).stdout.strip() == "active"


def test_removed_entry_leaves_only_its_data(lab, browser, logs):
    run = playbook("site.yml", log=logs / "hello-removed.log")
    assert run.rc == 0, run.output[-4000:]
    assert "hello" in run.output and "drop database" in run.output.lower()
    assert browser(None).ask("GET", "/hello/").status == 404
    for host in ("msk-app1", "msk-app2", "spb-app1"):
        units = lab.run(host, ["systemctl", "list-unit-files", "--no-legend", "hello*"]).stdout
        assert units.strip() == ""
        assert lab.run(host, ["test", "-e", "/etc/systemd/system/hello@.service"]).returncode == 1
    assert psql(lab, primary(lab), "select 1 from pg_database where datname = 'hello'") == "1"
    again = playbook("site.yml", log=logs / "hello-removed-again.log")
    assert not again.hosts_changed, again.changed_tasks()
