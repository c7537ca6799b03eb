"""Dashboards as text, for who has no Grafana: `python -m tests.support.panels_text [DASHBOARD...]`."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable

from dashboards import units
from dashboards.boards import BOARDS
from dashboards.model import Board, Panel
from lab import Lab
from tests.support.observers import observers
from tests.support.panels import Answer, Series, ask_all

SHOWN_SERIES = 6


def describe(board: Board, answers: Iterable[Answer]) -> str:
    """A dashboard as text: rows, titles of panels, present values."""
    by_panel: dict[int, list[Answer]] = {}
    for answer in answers:
        by_panel.setdefault(id(answer.panel), []).append(answer)
    lines = [f"== {board.title}", f"   {board.description}"]
    for row in board.rows:
        lines.append(f"-- {row.title}")
        for panel in row.panels:
            lines += _panel(panel, by_panel[id(panel)])
    return "\n".join(lines) + "\n"


def _panel(panel: Panel, answers: list[Answer]) -> list[str]:
    errors = [f"REFUSED: {answer.error}" for answer in answers if answer.error]
    values = [
        f"{name_of(answer, series)}{shown(panel, series)}"
        for answer in answers
        for series in answer.series
        if not math.isnan(series.value)
    ]
    if len(values) > SHOWN_SERIES:
        values = [*values[:SHOWN_SERIES], f"… {len(values) - SHOWN_SERIES} more"]
    if not values and not errors:
        values = [f"nothing ({panel.empty})" if panel.empty else "NOTHING"]
    head, *rest = [*errors, *values]
    return [f"   {panel.title:<44.44} {head}", *(f"   {'':<44} {text}" for text in rest)]


def name_of(answer: Answer, series: Series) -> str:
    """How a series is called, with a blank behind; empty for the only one of a panel."""
    if answer.query.legend:
        labels = series.labels
        legend = re.sub(r"{{(\w+)}}", lambda found: labels.get(found.group(1), ""), answer.query.legend)
        return f"{legend} "
    hidden = {"__name__", *answer.panel.hidden}
    return "".join(f"{value} " for name, value in series.labels.items() if name not in hidden)


def shown(panel: Panel, series: Series) -> str:
    """A value with its unit, or its word; of lines of log, the newest one."""
    if series.line:
        return series.line[:120]
    words = {word.value: word.text for word in panel.words}
    if series.value in words:
        return words[int(series.value)]
    return UNITS[panel.unit](series.value)


def _plain(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"


def _seconds(value: float) -> str:
    if abs(value) >= 172800:
        return f"{value / 86400:.0f} days"
    if abs(value) >= 7200:
        return f"{value / 3600:.1f} h"
    return f"{_plain(value * 1000)} ms" if 0 < abs(value) < 1 else f"{_plain(value)} s"


def _bytes(value: float) -> str:
    power = min(int(math.log(abs(value), 1024)), 4) if abs(value) >= 1 else 0
    return f"{_plain(value / 1024**power)} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


UNITS: dict[str, Callable[[float], str]] = {
    units.NONE: _plain,
    units.COUNT: _plain,
    units.SHARE: lambda value: f"{value * 100:.1f} %",
    units.SECONDS: _seconds,
    units.BYTES: _bytes,
    units.BYTES_PER_SECOND: lambda value: f"{_bytes(value)}/s",
    units.REQUESTS_PER_SECOND: lambda value: f"{_plain(value)} requests/s",
    units.PER_SECOND: lambda value: f"{_plain(value)}/s",
    units.PER_MINUTE: lambda value: f"{_plain(value)}/min",
    units.MESSAGES_PER_SECOND: lambda value: f"{_plain(value)} messages/s",
    units.OPERATIONS_PER_SECOND: lambda value: f"{_plain(value)}/s",
    units.ROUBLES: lambda value: f"{value:,.2f} RUB",
}


def main() -> int:
    """Print dashboards with the values of the first observing host that runs; return the exit code."""
    wanted = sys.argv[1:]
    boards = [board for board in BOARDS if not wanted or board.uid.removeprefix("tandem-") in wanted]
    if not boards:
        known = ", ".join(board.uid.removeprefix("tandem-") for board in BOARDS)
        sys.stderr.write(f"no such dashboard: {', '.join(wanted)}. Known: {known}\n")
        return 2
    available = observers(Lab())
    if not available:
        sys.stderr.write("no observing host of the lab runs. Next: make lab\n")
        return 1
    for board in boards:
        print(describe(board, list(ask_all([board], available[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
