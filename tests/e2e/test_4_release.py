"""A new release of one service under load: only it restarts, and nobody sees a failed request."""

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.support.instances import processes
from tests.support.load import Load
from tests.support.playbook import ROOT, playbook

APP_HOSTS = ["msk-app1", "msk-app2", "spb-app1"]


PRODUCTS = {"products", "products-events", "products-relay"}


def running(lab, hosts=APP_HOSTS):
    """Main process of every instance, by host and instance."""
    return {(host, name): pid for host in hosts for name, pid in processes(lab, host).items()}


@pytest.fixture
def new_release(tmp_path):
    """The shop's applications with one changed line in `products`, as the user's next commit would have."""
    shutil.copytree(
        ROOT / "apps", tmp_path / "apps", ignore=shutil.ignore_patterns(".venv", "__pycache__", ".cache")
    )
    init = Path(tmp_path / "apps/products/src/products/__init__.py")
    init.write_text(init.read_text() + "\n# The next release.\n")
    return tmp_path / "apps/products"


def test_release_under_load_restarts_only_its_service(lab, logs, new_release):
    before = running(lab)
    with Load(lab, logs / "release-load.log", seconds=900, orders=3, reads=15) as load:
        override = json.dumps({"services_override": {"products": {"app": str(new_release)}}})
        run = playbook("site.yml", "-e", override, log=logs / "release.log")
        load.stop()
    print(f"release: {run.seconds:.0f} s; {load.summary()}")
    assert run.rc == 0, run.output[-4000:]
    after = running(lab)
    restarted = {unit.split("@")[0] for (host, unit), pid in after.items() if before[host, unit] != pid}
    assert restarted == PRODUCTS
    assert all(before[at] != pid for at, pid in after.items() if at[1].split("@")[0] in PRODUCTS)
    assert load.ledger.failures() == []
    assert load.lost_or_doubled() == []


@pytest.fixture
def new_pages(new_release):
    """The frontend with another style sheet and another page, which names it."""
    frontend = new_release.parent / "frontend"
    style = frontend / "assets/css/base.css"
    style.write_text(style.read_text() + "\nbody { accent-color: teal; }\n")
    page = frontend / "src/frontend/templates/base.html"
    page.write_text(page.read_text().replace("</body>", "<!-- the next release -->\n</body>"))
    return frontend


def test_release_of_pages_under_load_misses_no_file(lab, logs, new_pages, browser):
    """Old and new pages are shown side by side through all edges, and every file that either names is everywhere."""
    before = browser(None).ask("GET", "/en/shop/").text
    with Load(lab, logs / "pages-load.log", seconds=900, orders=1, reads=5, pages=8) as load:
        override = json.dumps({"services_override": {"frontend": {"app": str(new_pages)}}})
        run = playbook("site.yml", "-e", override, log=logs / "pages.log")
        time.sleep(5)
        load.stop()
    print(f"release of pages: {run.seconds:.0f} s; {load.summary()}")
    assert run.rc == 0, run.output[-4000:]
    assert load.ledger.failures() == []
    after = browser(None).ask("GET", "/en/shop/").text
    assert "the next release" in after
    old, new = (set(re.findall(r'/static/[^"\s]+[.]css', page)) for page in (before, after))
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
    assert {at[1].split("@")[0] for at, pid in after.items() if before[at] != pid} == {"frontend"}
    lab.boot("msk-app2")
    lab.wait("msk-app2")
    run = playbook("site.yml", log=logs / "release-catch-up.log")
    assert run.rc == 0, run.output[-4000:]
    assert set(run.hosts_changed) == {"msk-app2"}, run.changed_tasks()
