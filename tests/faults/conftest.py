"""The faults run on the lab that is up and deployed."""

import pytest

from lab import Lab
from tests.support.cluster import undo_faults
from tests.support.playbook import ROOT


@pytest.fixture(scope="session")
def lab():
    return Lab()


@pytest.fixture(scope="session")
def logs():
    folder = ROOT / ".cache" / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def healed(lab):
    yield
    undo_faults(lab)
