"""Names of metrics that dashboards may ask for: `metric_names.yml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_suffix(".yml")


def by_exporter() -> dict[str, dict[str, Any]]:
    """Per exporter: ``always``, names that are there as soon as it runs, and ``rare``, names with their occasions."""
    read: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())
    return read


def always() -> set[str]:
    """Names that are there while the shop is in use."""
    return {name for names in by_exporter().values() for name in names.get("always", [])}


def known() -> set[str]:
    """All names."""
    return always() | {name for names in by_exporter().values() for name in names.get("rare", {})}
