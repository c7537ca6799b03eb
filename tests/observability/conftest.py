"""These run on the lab that is up and deployed, and take their time: `make observe`."""

import pytest

from lab import Lab
from tests.support.cluster import undo_faults
from tests.support.observers import observers
from tests.support.playbook import ROOT


@pytest.fixture(scope="session")
def lab():
    return Lab()


@pytest.fixture(scope="session")
def watchers(lab):
    """The hosts with a Prometheus, an Alertmanager and a Loki: one of each datacenter."""
    hosts = [observer.host for observer in observers(lab)]
    assert len(hosts) == 2, hosts
    return hosts


@pytest.fixture(scope="session")
def logs():
    folder = ROOT / ".cache" / "observability"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def healed(lab):
    yield
    undo_faults(lab)
