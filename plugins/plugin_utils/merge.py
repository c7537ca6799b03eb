# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Plain data, and the merge by which a second file overrides the first key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``override`` laid over it, as a compose file's second file is.

    Mappings merge key by key at every depth; a null removes the key; everything else, lists too, is replaced.
    Neither argument is changed.
    """
    result = dict(base)
    for key, value in override.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def contains(tree: Any, path: tuple[str | int, ...]) -> bool:
    """Tell whether the path leads to something in the tree (of mappings; a list is the end of a path)."""
    for part in path:
        if not isinstance(tree, Mapping):
            return True
        if part not in tree:
            return False
        tree = tree[part]
    return True
