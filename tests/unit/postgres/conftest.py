"""Shared by the tests of the postgres role's Python: the collection's import path, and nodes to think about."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "collections"))

if TYPE_CHECKING:
    from ansible_collections.tandem.platform.plugins.module_utils.postgres_cluster import Node

MakeNode = Callable[..., "Node"]


@pytest.fixture
def node() -> MakeNode:
    """Make a node: `node("msk", "primary")`, with anything else by keyword."""
    from ansible_collections.tandem.platform.plugins.module_utils.postgres_cluster import Node

    def make(name: str, state: str, **changes: Any) -> Node:
        settings: dict[str, Any] = {
            "id": {"msk": 1, "spb": 2}.get(name, 3),
            "name": name,
            "host": {"msk": "10.61.0.31", "spb": "10.62.0.31"}.get(name, "10.63.0.31"),
            "port": 5432,
            "reported": state,
            "goal": state,
            "health": 1,
            "priority": 50,
            "quorum": True,
            "age": 0.5,
        }
        return Node(**settings | changes)

    return make
