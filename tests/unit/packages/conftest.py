"""A cache of the test's own, short enough for gpg's sockets, and a small program to pack."""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import pytest

from packages import places
from packages.recipes import RECIPES_BY_NAME


@pytest.fixture
def cache(monkeypatch):
    folder = tempfile.mkdtemp(prefix="pk-")
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    yield places.cache()
    shutil.rmtree(folder)


@pytest.fixture
def program(cache):
    file = cache / "program" / "small"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\necho small\n")
    return file


@pytest.fixture
def recipe():
    return dataclasses.replace(
        RECIPES_BY_NAME["promtail"], name="small", depends=("libc6 (>= 2.34)",), user="small"
    )


@pytest.fixture
def root():
    return Path(__file__).resolve().parents[3]
