# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Inventory variables as plain Python data: templates evaluated, Ansible's own types and tags left behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import getitem
from typing import Any

from .problems import Report


class Unevaluated:
    """Stands for a value that could not be evaluated.

    No model takes it for anything, so that the only further problem, under the same key, can be left out.
    """

    def __repr__(self) -> str:
        return "(not evaluated)"


class Plainer:
    """Evaluates variables item by item, so that one that fails is named and the others are still read."""

    def __init__(self, render: Callable[[Any], Any], errors: type[Exception], report: Report) -> None:
        """Take the function that evaluates one scalar (a template or not) and what it may raise."""
        self._render = render
        self._errors = errors
        self._report = report

    def plain(self, where: str, value: Any) -> Any:
        """Return a variable's value as plain data; what fails is reported under its key."""
        return self._item(where, lambda: value)

    def _item(self, where: str, read: Callable[[], Any]) -> Any:
        # Containers that come out of a template are lazy: reading an item may fail, too.
        try:
            value = read()
            if not isinstance(value, Mapping | list | tuple):
                value = self._render(value)
        except self._errors as error:
            message = str(error).strip().partition("\n")[0]
            cure = "correct the expression, or set what it uses"
            self._report.refuse(where, f"can't be evaluated: {message}", cure)
            return Unevaluated()
        return self._plain(where, value)

    def _plain(self, where: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                scalar(key): self._item(f"{where}.{key}", partial(getitem, value, key)) for key in list(value)
            }
        if isinstance(value, list | tuple):
            return [
                self._item(f"{where}[{number}]", partial(getitem, value, number))
                for number in range(len(value))
            ]
        return scalar(value)


def scalar(value: Any) -> Any:
    """Return a scalar in its exact built-in type; what YAML has beside (dates) becomes text."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
