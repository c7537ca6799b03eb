"""New releases under load: only their services restart, and nobody sees a failed request."""

import json
import re
import shutil
import time

import pytest

from tests.support.instances import processes
from tests.support.load import Load
from tests.support.playbook import ROOT, playbook

APP_HOSTS = ["msk-app1", "msk-app2", "spb-app1"]


RELEASED = {"products", "products-events", "products-relay", "frontend"}


def running(lab, hosts=APP_HOSTS):
    """Main process of every instance, by host and instance."""
    return {(host, name): pid for host in hosts for name, pid in processes(lab, host).items()}


@pytest.fixture
def new_releases(tmp_path):
    """The shop's applications as the user's next commit would have them, by service.

    `products` has one changed line; `frontend` has another style sheet and another page, which names it.
    """
    shutil.copytree(
        ROOT / "apps", tmp_path / "apps", ignore=shutil.ignore_patterns(".venv", "__pycache__", ".cache")
    )
    products, frontend = tmp_path / "apps/products", tmp_path / "apps/frontend"
    init = products / "src/products/__init__.py"
    init.write_text(init.read_text() + "\n# The next release.\n")
    style = frontend / "assets/css/base.css"
    style.write_text(style.read_text() + "\nbody { accent-color: teal; }\n")
    page = frontend / "src/frontend/templates/base.html"
    page.write_text(page.read_text().replace("</body>", "<!-- the next release -->\n</body>"))
    return {"products": {"app": str(products)}, "frontend": {"app": str(frontend)}}


def test_releases_under_load_restart_only_their_services(lab, logs, new_releases, browser):
    """No request fails. Old and new pages are shown side by side, and every file that either names is everywhere."""
    before, page_before = running(lab), browser(None).ask("GET", "/en/shop/").text
    with Load(lab, logs / "release-load.log", seconds=900, orders=2, reads=8, pages=6) as load:
        override = json.dumps({"services_override": new_releases})
        run = playbook("site.yml", "-e", override, log=logs / "release.log")
        time.sleep(5)
        load.stop()
    print(f"release: {run.seconds:.0f} s; {load.summary()}")
    assert run.rc == 0, run.output[-4000:]
    after, page_after = running(lab), browser(None).ask("GET", "/en/shop/").text
    restarted = {name for name, pid in after.items() if before[name] != pid}
    assert restarted == {name for name in after if name[1].split("@")[0] in RELEASED}
    assert load.ledger.failures() == []
    assert load.lost_or_doubled() == []
    assert "the next release" in page_after
    old, new = (set(re.findall(r'/static/[^"\s]+[.]css', page)) for page in (page_before, page_after))
    assert old and new and not old & new, (old, new)
    assets = [attempt for attempt in load.ledger.attempts if attempt.op == "asset"]
    assert len(assets) > 100, "the load must have asked for the pages' files"
    for name in old | new:
        assert browser(None).ask("GET", name).status == 200, name


def test_deploys_to_the_rest_while_a_host_is_dead(lab, logs):
    lab.kill("msk-app2")
    alive = [host for host in APP_HOSTS if host != "msk-app2"]
    before = running(lab, alive)
    run = playbook("site.yml", log=logs / "release-dead-host.log")
    assert run.rc == 0, run.output[-4000:]
    assert "msk-app2" in run.output
    after = running(lab, alive)
    assert {at[1].split("@")[0] for at, pid in after.items() if before[at] != pid} == RELEASED
    lab.boot("msk-app2")
    lab.wait("msk-app2")
    run = playbook("site.yml", log=logs / "release-catch-up.log")
    assert run.rc == 0, run.output[-4000:]
    assert set(run.hosts_changed) == {"msk-app2"}, run.changed_tasks()
