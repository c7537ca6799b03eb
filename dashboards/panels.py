"""The kinds of panels, with what all of a kind have in common."""

from __future__ import annotations

from typing import TypedDict, Unpack

from dashboards.model import Kind, Link, Panel, Query, Source, Step, Word

NO = Word(0, "no", "red")
YES = Word(1, "yes", "green")
DOWN = Word(0, "down", "red")
UP = Word(1, "up", "green")


class Options(TypedDict, total=False):
    """What can be said of any panel beside its title, description, unit and queries; see `Panel`."""

    width: int
    height: int
    steps: tuple[Step, ...]
    words: tuple[Word, ...]
    links: tuple[Link, ...]
    least: float | None
    most: float | None
    repeat: str | None
    empty: str | None
    filled: bool


def series(title: str, description: str, unit: str, *queries: Query, **options: Unpack[Options]) -> Panel:
    """Lines over time."""
    return Panel(title, description, unit, Kind.SERIES, queries, **options)


def stacked(title: str, description: str, unit: str, *queries: Query, **options: Unpack[Options]) -> Panel:
    """Parts of a whole over time, one above the other."""
    return Panel(title, description, unit, Kind.STACKED, queries, **options)


def stat(title: str, description: str, unit: str, *queries: Query, **options: Unpack[Options]) -> Panel:
    """Large numbers of now."""
    chosen: Options = {"width": 4, "height": 4, **options}
    return Panel(title, description, unit, Kind.STAT, queries, **chosen)


def table(
    title: str,
    description: str,
    unit: str,
    query: Query,
    hidden: tuple[str, ...] = (),
    **options: Unpack[Options],
) -> Panel:
    """One line per series of now, its labels as columns; `hidden` labels and the time are left out."""
    chosen: Options = {"width": 12, **options}
    return Panel(title, description, unit, Kind.TABLE, (query,), hidden=("Time", *hidden), **chosen)


def states(title: str, description: str, *queries: Query, **options: Unpack[Options]) -> Panel:
    """Bars over time that change their colour with the state."""
    chosen: Options = {"width": 12, "height": 6, **options}
    return Panel(title, description, "none", Kind.STATES, queries, **chosen)


def logs(title: str, description: str, expr: str, **options: Unpack[Options]) -> Panel:
    """Lines of log, the newest first."""
    chosen: Options = {"width": 24, "height": 14, **options}
    return Panel(title, description, "none", Kind.LOGS, (Query(expr, source=Source.LOKI),), **chosen)


def lines(expr: str, legend: str = "") -> Query:
    """A LogQL query that gives numbers."""
    return Query(expr, legend, Source.LOKI)


def at_most(warn: float, bad: float) -> tuple[Step, ...]:
    """Green below `warn`, red from `bad` on."""
    return (Step(None, "green"), Step(warn, "orange"), Step(bad, "red"))


def at_least(bad: float, good: float) -> tuple[Step, ...]:
    """Red below `bad`, green from `good` on."""
    return (Step(None, "red"), Step(bad, "orange"), Step(good, "green"))
