# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Inventory variables as plain Python data: templates evaluated, Ansible's own types and tags left behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import getitem
from typing import Any

from .problems import Report

Evaluate = Callable[[], Any]


def plain(where: str, evaluate: Evaluate, errors: type[Exception], report: Report) -> Any:
    """Return a variable's value as plain data; what can't be evaluated is reported under its key and null.

    Containers are lazy: reading an item evaluates its template, so every read may raise one of ``errors``.
    """
    try:
        value = evaluate()
    except errors as error:
        report.refuse(
            where, f"can't be evaluated: {_first_line(error)}", "correct the expression or set what it uses"
        )
        return None
    return _plain_value(where, value, errors, report)


def _plain_value(where: str, value: Any, errors: type[Exception], report: Report) -> Any:
    if isinstance(value, Mapping):
        return {
            _scalar(key): plain(f"{where}.{key}", partial(getitem, value, key), errors, report)
            for key in list(value)
        }
    if isinstance(value, list | tuple):
        return [
            plain(f"{where}[{number}]", partial(getitem, value, number), errors, report)
            for number in range(len(value))
        ]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """Return a scalar in its exact built-in type; what YAML has beside (dates) becomes text."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
