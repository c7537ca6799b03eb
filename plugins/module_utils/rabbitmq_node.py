# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What to do with a node: start it with the others, form a cluster, join one, or take back a place in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JOINING = "joining\n"
MEMBER = "member\n"


class NodeError(Exception):
    """The node can't get into its cluster; the message is meant for the user."""


@dataclass(frozen=True)
class Place:
    """Where a node keeps its data, and the file that says whether it has a place in a cluster.

    The file says `joining` from before the first start until the node is a member, and `member` from then on. So a run
    that was interrupted in between is seen by the next one.
    """

    member_file: Path
    data_directory: Path

    @property
    def state(self) -> str:
        """`blank`, `joining` or `member`."""
        if not self.member_file.exists() or not self.data_directory.exists():
            return "blank"
        return "member" if self.member_file.read_text(encoding="utf-8") == MEMBER else "joining"


def majority(nodes: Sequence[str], absent: Sequence[str]) -> bool:
    """Whether those that answer are more than half of all."""
    return 2 * len([name for name in nodes if name not in absent]) > len(nodes)


def entry(name: str, nodes: Sequence[str], absent: Sequence[str], members: Sequence[str] | None) -> list[str]:
    """Return how a node without data gets in: `form`, `join` or `forget` and `join`.

    `members` are those of a cluster that runs on the other hosts; None when none does.
    Raises `NodeError` when it would form a cluster while most others, perhaps with a cluster, are out of sight.
    """
    if members is not None:
        return ["forget", "join"] if name in members else ["join"]
    if not majority(nodes, absent):
        raise NodeError(
            f"{name} has no data, no other node runs, and only a minority of {len(nodes)} hosts answers: a new cluster "
            f"could be a second one. Next: bring back {', '.join(absent)}, or take them out of the inventory."
        )
    return ["form"]
