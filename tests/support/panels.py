"""Every query of every panel with its variables filled in, and what is wrong with the answers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dashboards.model import Ask, Board, Kind, Panel, Query, Source, Variable
from dashboards.variables import ALL

BUILT_IN = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "__auto": "5m"}
"""Grafana's own variables, as if an hour were looked at."""
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")


class QueryError(Exception):
    """A data source does not answer or refuses the query; the message is what it said."""


@dataclass(frozen=True)
class Series:
    """One series of an answer with its value of now; of lines of log, one stream with its newest line."""

    labels: Mapping[str, str]
    value: float
    line: str = ""


Asker = Callable[[Source, str, bool], list[Series]]
"""Asks a data source: its kind, the query, and whether it gives lines of log. Raises QueryError."""


@dataclass(frozen=True)
class Answer:
    """What a query of a panel gave; `error` is empty unless it was refused."""

    board: Board
    panel: Panel
    query: Query
    expr: str
    series: list[Series] = field(default_factory=list)
    error: str = ""

    @property
    def empty(self) -> bool:
        """Nothing, or nothing that is a number."""
        return all(math.isnan(series.value) for series in self.series)


# --- variables -------------------------------------------------------------------------------------------------------


def everything(board: Board) -> dict[str, str]:
    """Values of a dashboard's variables when everything is chosen and no text is typed."""
    return {variable.name: "" if variable.ask is Ask.TEXT else ALL for variable in board.variables}


def filled(expr: str, values: Mapping[str, str]) -> str:
    """The query with all variables filled in; KeyError names one that is not defined."""
    known = BUILT_IN | dict(values)
    return VARIABLE.sub(lambda found: known[found.group(1)], expr)


def values_of(variable: Variable, values: Mapping[str, str]) -> str:
    """A query that has a series for each value that a variable offers."""
    chosen = filled(variable.expr, values)
    if variable.source is Source.LOKI:
        return f"sum by ({variable.value_of}) (count_over_time({chosen} [1h]))"
    return f"count by ({variable.value_of}) ({chosen})"


# --- asking ----------------------------------------------------------------------------------------------------------


def ask_all(boards: Iterable[Board], query: Asker) -> Iterator[Answer]:
    """Ask all queries of all panels, with everything chosen."""
    for board in boards:
        values = everything(board)
        for panel in board.panels():
            for asked in panel.queries:
                expr = filled(asked.expr, values)
                try:
                    found = query(asked.source, expr, panel.kind is Kind.LOGS)
                except QueryError as error:
                    yield Answer(board, panel, asked, expr, error=str(error))
                else:
                    yield Answer(board, panel, asked, expr, found)


def faults(answers: Iterable[Answer]) -> list[str]:
    """What is wrong: refused queries, and empty answers of panels that may not be empty."""
    found = []
    for answer in answers:
        where = f"{answer.board.title} / {answer.panel.title}: {answer.expr}"
        if answer.error:
            found.append(f"{where}\n    {answer.error}")
        elif answer.empty and not answer.panel.may_be_empty:
            found.append(f"{where}\n    is empty")
    return found


def variable_faults(boards: Iterable[Board], query: Asker) -> list[str]:
    """Variables that offer nothing to choose."""
    found = []
    for board in boards:
        for variable in board.variables:
            if variable.ask is not Ask.LABEL:
                continue
            expr = values_of(variable, everything(board))
            try:
                offered = [
                    series.labels.get(variable.value_of) for series in query(variable.source, expr, False)
                ]
                reason = "" if any(offered) else "offers nothing"
            except QueryError as error:
                reason = str(error)
            if reason:
                found.append(f"{board.title} / variable {variable.name}: {expr}\n    {reason}")
    return found
