"""Make the guard importable as it is on its host, and its tests' own modules by name."""

import sys
from pathlib import Path

import pytest
from psycopg2 import extensions

HERE = Path(__file__).parent
for folder in (HERE, HERE.parents[2] / "roles" / "postgres" / "files"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(autouse=True)
def wait_callback():
    """The guard's way of waiting is psycopg2's for the whole process: give the usual one back."""
    yield
    extensions.set_wait_callback(None)
