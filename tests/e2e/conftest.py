"""One lab made from nothing for the whole suite; the tests build on each other in the order of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import Lab
from tests.support.cluster import undo_faults
from tests.support.playbook import observe
from tests.support.shop import Browser

ROOT = Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    parser.addoption(
        "--keep-lab",
        action="store_true",
        help="use the running lab as it is, and leave it running: for work on a test",
    )
    parser.addoption(
        "--observed",
        action="store_true",
        help="deploy metrics, logs and alerts from the beginning, which takes everything half as long again",
    )


def pytest_configure(config):
    """Test without what observes, until test_6_deploy adds it: then all of it fits into an hour."""
    observe(config.getoption("--observed") or config.getoption("--keep-lab"))


@pytest.fixture(scope="session")
def lab(request):
    """The lab: fresh disks, all hosts up."""
    lab = Lab()
    if not request.config.getoption("--keep-lab"):
        lab.down()
        lab.clean()
    lab.up()
    return lab


@pytest.fixture(scope="session")
def logs():
    """Where whole outputs go."""
    folder = ROOT / ".cache" / "e2e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def public_name(lab):
    return lab.env()["public_names"][0]


@pytest.fixture
def browser(lab, public_name):
    """Make a browser on `world` for an edge's address, or by DNS with None."""

    def make(edge):
        browser = Browser(lab, edge, public_name)
        browser.trust(Path(lab.env()["ca_file"]).read_text())
        return browser

    return make


@pytest.fixture(autouse=True)
def healed(lab, request):
    """Undo what a failed test left broken, so that the next one says something about itself."""
    yield
    if request.node.get_closest_marker("ends_lab"):
        return
    undo_faults(lab)
