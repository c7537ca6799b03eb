# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an inventory: one record per problem, collected so that all are reported at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN_LENGTH = 60  # characters of a value that a message repeats


@dataclass(frozen=True, order=True)
class Problem:
    """One reason to refuse an inventory.

    ``where`` is the key as the user wrote it (``services.users.port``), ``what`` states the value and what is
    wrong with it, ``cure`` says what to write instead.
    """

    where: str
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n    cure: {self.cure}"


@dataclass
class Report:
    """Collects problems (the run is refused) and warnings (the run goes on)."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, where: str, what: str, cure: str) -> None:
        """Record a problem."""
        self.problems.append(Problem(where, what, cure))

    def warn(self, text: str) -> None:
        """Record a warning: one sentence that names the key."""
        self.warnings.append(text)


def text_of(problems: Iterable[Problem]) -> str:
    """Return the readable list of problems, in the order of their keys, each one once."""
    ordered = sorted(set(problems))
    lines = [f"{counted(len(ordered), 'problem')} in the inventory; nothing was changed."]
    lines += [f"{number}. {problem}" for number, problem in enumerate(ordered, start=1)]
    return "\n".join(lines)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like ``word``, or None when nothing is near."""
    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.55)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return the cure for an unknown word: the nearest known one, or ``otherwise`` when nothing is near."""
    candidate = nearest(word, known)
    return f"write {candidate}" if candidate else otherwise


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 host``, ``2 hosts``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listing(words: Iterable[str]) -> str:
    """Return words as a sorted, readable enumeration."""
    return ", ".join(sorted(words)) or "none"


def shown(value: Any) -> str:
    """Return a value as short JSON text, for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
