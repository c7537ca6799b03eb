"""Make the exporter importable as it is on its host."""

import sys
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles" / "platform_exporter" / "files"
if str(FILES) not in sys.path:
    sys.path.insert(0, str(FILES))


@pytest.fixture
def values():
    """Return the samples of metric families: by name, and labels in their order."""

    def of(families):
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    return of
