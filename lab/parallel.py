"""Doing the same for many hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def parallel(action: Callable[[T], None], items: Iterable[T]) -> None:
    """Do it for all at once; when some fail, the first error is raised after all have ended."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        futures = [pool.submit(action, item) for item in items]
    for future in futures:
        future.result()
