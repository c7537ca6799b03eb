"""The one error type: what went wrong, and what to do about it."""

from __future__ import annotations


class PackagesError(Exception):
    """A problem the user can act on.

    `problem` is one sentence without a full stop; `cure` is a command or a change that helps.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem}\n  cure: {cure}")
        self.problem = problem
        self.cure = cure
