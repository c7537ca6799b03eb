"""The human's promotion: what would be lost, and every reason not to do it."""

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_promotion as promotion

STANDBY = promotion.Peer("spb", "10.62.0.31", "secondary", 1, 0.6, "0/5000000", 0x5000000)
PRIMARY = promotion.Peer("msk", "10.61.0.31", "primary", 0, 42.0, "0/5A00000", 0x5A00000)
CASE = promotion.Case(STANDBY, PRIMARY, 50, "2026-01-02 03:04:05 UTC", 90.4)


def answers(
    marker: list[tuple[Any, ...]], nodes: dict[str, tuple[Any, ...]], exists: bool = True
) -> promotion.Ask:
    """A monitor that answers the module's questions."""

    def ask(sql: str, arguments: Any) -> list[tuple[Any, ...]]:
        if sql == promotion.EXISTS_SQL:
            return [(exists,)]
        if sql == promotion.MARKER_SQL:
            return marker
        return [nodes[arguments[0]]] if arguments[0] in nodes else []

    return ask


MARKER = [("spb", "msk", 50, "2026-01-02 03:04:05 UTC", 90.4)]
NODES = {peer.name: tuple(vars(peer).values()) for peer in (STANDBY, PRIMARY)}


def test_the_case_is_read() -> None:
    assert promotion.read(answers(MARKER, NODES)) == CASE


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (answers([], NODES), "no standby is taken out"),
        (answers(MARKER, NODES, exists=False), "never run"),
        (answers(MARKER, {"spb": NODES["spb"]}), "does not know both"),
    ],
)
def test_without_a_marker_there_is_nothing_to_decide(ask: promotion.Ask, reason: str) -> None:
    with pytest.raises(promotion.NoCase, match=reason):
        promotion.read(ask)


def test_the_loss_names_time_and_amount() -> None:
    said = promotion.loss(CASE)
    assert "after 2026-01-02 03:04:05 UTC is lost" in said
    assert "10.0 MiB" in said


def test_the_plan_asks_for_the_power_and_the_confirmation() -> None:
    said = promotion.plan(CASE)
    assert "power off the host of msk (10.61.0.31)" in said
    assert "-e confirm=spb" in said


def test_a_lost_primary_and_a_present_standby_may_be_decided() -> None:
    assert promotion.refusal(CASE, "spb") is None


@pytest.mark.parametrize(
    ("case", "confirm", "reason"),
    [
        (CASE, "msk", "spb is the standby that was taken out"),
        (replace(CASE, primary=replace(PRIMARY, health=1)), "spb", "msk is not gone"),
        (replace(CASE, primary=replace(PRIMARY, age=2.0)), "spb", "msk is not gone"),
        (replace(CASE, standby=replace(STANDBY, health=0)), "spb", "spb does not answer"),
        (replace(CASE, standby=replace(STANDBY, age=30.0)), "spb", "spb does not answer"),
    ],
)
def test_every_doubt_refuses(case: promotion.Case, confirm: str, reason: str) -> None:
    assert reason in str(promotion.refusal(case, confirm))


@pytest.mark.parametrize(("count", "said"), [(0, "0 bytes"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB")])
def test_sizes_are_for_humans(count: int, said: str) -> None:
    assert promotion.size(count) == said


class Monitor:
    """Keeps what it was told, in order; says that the standby leads after so many questions."""

    def __init__(self, leads_after: int, fails_at: str = "") -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.left = leads_after
        self.fails_at = fails_at

    def __call__(self, sql: str, arguments: Any) -> list[tuple[Any, ...]]:
        if sql == promotion.NODE_SQL:
            self.left -= 1
            return [
                ("spb", "10.62.0.31", "wait_primary" if self.left <= 0 else "secondary", 1, 0.1, "0/0", 0)
            ]
        self.told.append((sql, tuple(arguments)))
        if sql == self.fails_at:
            raise RuntimeError("connection lost")
        return []


def wait_thrice(condition: Any) -> bool | None:
    return any(condition() for _ in range(3)) or None


AROUND = [(promotion.ANY_LAG_SQL, ()), (promotion.RELOAD_SQL, ())]
AFTERWARDS = [(promotion.USUAL_LAG_SQL, ()), (promotion.RELOAD_SQL, ())]


@pytest.mark.parametrize(("leads_after", "done"), [(1, True), (3, True), (4, False)])
def test_the_limit_of_the_lag_is_lifted_only_for_the_promotion(leads_after: int, done: bool) -> None:
    monitor = Monitor(leads_after)
    assert promotion.promote(monitor, CASE, wait_thrice) is done
    assert monitor.told == [*AROUND, (promotion.PROMOTE_SQL, (50, "spb")), *AFTERWARDS]


def test_the_limit_of_the_lag_comes_back_after_a_failure() -> None:
    monitor = Monitor(1, fails_at=promotion.PROMOTE_SQL)
    with pytest.raises(RuntimeError):
        promotion.promote(monitor, CASE, wait_thrice)
    assert monitor.told[-2:] == AFTERWARDS
