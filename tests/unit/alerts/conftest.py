"""The alert rules, their tests and promtool."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def promtool():
    """The program that checks rules: of this machine, or the one that `make setup` has unpacked."""
    unpacked = ROOT / ".cache" / "promtool" / "usr" / "bin" / "promtool"
    found = shutil.which("promtool") or (str(unpacked) if unpacked.exists() else None)
    assert found, "there is no promtool; `make setup` fetches it"
    return found
