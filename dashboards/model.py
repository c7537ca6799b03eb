"""What a dashboard is made of. Plain data: rendered by `rendering`, read by tests and by the text rendering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

WIDTH = 24
"""Columns of Grafana's grid."""


class Source(StrEnum):
    """Kinds of data sources; a dashboard has a variable of this name to choose the site's."""

    PROMETHEUS = "prometheus"
    LOKI = "loki"


class Kind(StrEnum):
    """How a panel shows its queries."""

    SERIES = "series"
    STACKED = "stacked"
    STAT = "stat"
    TABLE = "table"
    STATES = "states"
    LOGS = "logs"

    @property
    def now(self) -> bool:
        """Whether it asks for the present alone."""
        return self in (Kind.STAT, Kind.TABLE)


@dataclass(frozen=True)
class Query:
    """One query: PromQL or LogQL, and how its series are called."""

    expr: str
    legend: str = ""
    source: Source = Source.PROMETHEUS


@dataclass(frozen=True)
class Step:
    """From this value on (None: from the lowest), this colour."""

    value: float | None
    color: str


@dataclass(frozen=True)
class Word:
    """A value that is shown as a word."""

    value: int
    text: str
    color: str


@dataclass(frozen=True)
class Link:
    """A way to another dashboard.

    ``labels``: labels of a series that become values of the variables with the same names there; the link is then on
    the data. Without labels it is on the panel. ``keep``: variables that go along.
    """

    to: str
    title: str
    labels: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """A panel.

    ``empty`` says why it may rightly show nothing; without it, nothing is a fault. ``filled``: only for want of
    requests, or because of what a person chose; with everything chosen, under load, nothing is a fault all the same.
    """

    title: str
    description: str
    unit: str
    kind: Kind
    queries: tuple[Query, ...]
    width: int = 8
    height: int = 8
    steps: tuple[Step, ...] = ()
    words: tuple[Word, ...] = ()
    links: tuple[Link, ...] = ()
    least: float | None = 0
    most: float | None = None
    hidden: tuple[str, ...] = ()
    repeat: str | None = None
    empty: str | None = None
    filled: bool = False

    @property
    def may_be_empty(self) -> bool:
        """Whether it may show nothing even with everything chosen, under load."""
        return self.empty is not None and not self.filled


@dataclass(frozen=True)
class Row:
    """Panels under a title, laid out from left to right."""

    title: str
    panels: tuple[Panel, ...]


class Ask(StrEnum):
    """Where a variable gets its values."""

    SOURCES = "sources"
    LABEL = "label"
    TEXT = "text"
    CHOICE = "choice"


@dataclass(frozen=True)
class Variable:
    """What a person can choose. ``expr`` of LABEL: the series whose values of ``value_of`` are offered."""

    name: str
    label: str
    ask: Ask
    source: Source = Source.PROMETHEUS
    expr: str = ""
    value_of: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """A dashboard; ``uid`` is its address and its file's name."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    span: str = "now-3h"

    def panels(self) -> Iterator[Panel]:
        """All panels, from top to bottom."""
        for row in self.rows:
            yield from row.panels

    def sources(self) -> list[Source]:
        """The kinds of data sources that the panels ask, in a fixed order."""
        asked = {query.source for panel in self.panels() for query in panel.queries}
        return [source for source in Source if source in asked]
