"""One lab made from nothing for the whole suite; the tests build on each other in the order of the files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from lab import Lab
from tests.support.cluster import undo_faults
from tests.support.playbook import observe
from tests.support.shop import visitor

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
        help="with metrics, logs and alerts, which takes half as long again; needs `make packages`",
    )


def pytest_configure(config):
    """Without what observes, so that all fits into an hour; tests/observability adds that to such a lab."""
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
def browser(lab):
    """Make a browser on `world` for an edge's address, or by DNS with None."""

    return partial(visitor, lab)


@pytest.fixture(autouse=True)
def healed(lab, request):
    """Undo what a failed test left broken, so that the next one says something about itself."""
    yield
    if request.node.get_closest_marker("ends_lab"):
        return
    undo_faults(lab)
