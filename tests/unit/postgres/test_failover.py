"""Asking the monitor for a failover: again only where nothing was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_failover as failover
from ansible_collections.tandem.platform.plugins.module_utils.postgres_host import HostError


class Refused(Exception):
    """What the driver raises, as far as it is looked at."""

    def __init__(self, pgcode: str | None) -> None:
        super().__init__("refused")
        self.pgcode = pgcode


class Monitor:
    """Refuses with these codes, one after the other, then does as asked."""

    def __init__(self, *codes: str | None) -> None:
        self.codes = list(codes)
        self.asked: list[tuple[str, Sequence[Any]]] = []
        self.slept: list[float] = []

    def query(self, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        self.asked.append((sql, arguments))
        if self.codes:
            raise HostError("refused") from Refused(self.codes.pop(0))
        return [("",)]

    def fail_over(self) -> None:
        failover.fail_over(self.query, self.slept.append)


def test_it_is_asked_once_by_the_function_that_locks() -> None:
    monitor = Monitor()
    monitor.fail_over()
    assert monitor.asked == [("select tandem.fail_over(%s)", ("default",))]


@pytest.mark.parametrize("code", failover.NOT_DONE)
def test_what_was_not_done_is_asked_again(code: str) -> None:
    monitor = Monitor(code, code)
    monitor.fail_over()
    assert len(monitor.asked) == 3
    assert monitor.slept == [failover.PAUSE_S] * 2


@pytest.mark.parametrize("code", [None, "57P01", "55000"])
def test_what_may_have_been_done_is_not_asked_again(code: str | None) -> None:
    monitor = Monitor(code)
    with pytest.raises(HostError):
        monitor.fail_over()
    assert len(monitor.asked) == 1


def test_it_gives_up() -> None:
    monitor = Monitor(*["55P03"] * 9)
    with pytest.raises(HostError):
        monitor.fail_over()
    assert len(monitor.asked) == failover.TRIES


def test_the_lock_comes_before_the_request() -> None:
    assert failover.BODY.index("access exclusive") < failover.BODY.index("perform_failover")
