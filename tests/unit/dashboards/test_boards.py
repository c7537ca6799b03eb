"""What holds for every dashboard, before any Grafana or Prometheus sees it."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import units
from dashboards.__main__ import files, stale
from dashboards.boards import BOARDS
from dashboards.model import WIDTH, Ask, Kind, Source
from dashboards.rendering import JSONEncoder, text
from tests.support import metric_names
from tests.support.panels import BUILT_IN, VARIABLE, everything, filled, values_of

ROOT = Path(__file__).resolve().parents[3]
PROVISIONED = ROOT / "roles" / "grafana" / "files" / "dashboards"
NOT_METRICS = {"ALERTS"}

every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def rendered(board):
    return json.loads(text(board))


def panels_of(dashboard):
    """All panels, rows too."""
    return [panel for panel in dashboard["panels"]]


def expressions(board, source):
    """Every query and variable that asks this kind of source, filled in."""
    values = everything(board)
    found = [query.expr for panel in board.panels() for query in panel.queries if query.source is source]
    found = [filled(expr, values) for expr in found]
    return found + [
        values_of(variable, values)
        for variable in board.variables
        if variable.ask is Ask.LABEL and variable.source is source
    ]


def selectors(node):
    """All vector selectors of a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    if isinstance(node, promql_parser.MatrixSelector):
        return [node.vector_selector]
    parts = []
    for name in ("expr", "lhs", "rhs", "param"):
        part = getattr(node, name, None)
        parts += selectors(part) if part is not None else []
    for part in getattr(node, "args", []):
        parts += selectors(part)
    return parts


# --- as a whole ------------------------------------------------------------------------------------------------------


def test_addresses_and_titles_are_unique():
    assert len({board.uid for board in BOARDS}) == len(BOARDS)
    assert len({board.title for board in BOARDS}) == len(BOARDS)
    assert all(re.fullmatch(r"tandem-[a-z]{1,33}", board.uid) for board in BOARDS)


def test_what_is_provisioned_is_what_the_code_says():
    assert not stale(PROVISIONED), "run: .venv/bin/python -m dashboards render roles/grafana/files/dashboards"


def test_rendering_twice_gives_the_same():
    assert files() == files()


@every_board
def test_the_sdk_reads_what_it_wrote(board):
    register_default_plugins()
    once = text(board)
    again = json.dumps(Dashboard.from_json(json.loads(once)), cls=JSONEncoder, sort_keys=True, indent=1)
    assert json.loads(again) == json.loads(once)


@every_board
def test_ids_are_unique_and_nothing_overlaps(board):
    panels = panels_of(rendered(board))
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place.get("x", 0), place.get("x", 0) + place["w"])
            for y in range(place.get("y", 0), place.get("y", 0) + place["h"])
        }
        assert place.get("x", 0) + place["w"] <= WIDTH, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@every_board
def test_rows_are_filled(board):
    """No holes at a row's end: the widths of a line add up."""
    for row in board.rows:
        left = 0
        for panel in row.panels:
            left = panel.width if left + panel.width > WIDTH else left + panel.width
        assert left == WIDTH, f"{row.title}: the last line ends at {left}"


@every_board
def test_every_panel_says_what_it_shows(board):
    for row in board.rows:
        titles = [panel.title for panel in row.panels]
        assert len(set(titles)) == len(titles)
    for panel in board.panels():
        assert panel.description.endswith("."), panel.title
        assert panel.unit in units.ALL, panel.title
        assert panel.queries, panel.title
        assert len({query.source for query in panel.queries}) == 1, panel.title
        if len(panel.queries) > 1:
            assert all(query.legend for query in panel.queries), panel.title
        if panel.kind in (Kind.SERIES, Kind.STACKED, Kind.STATES):
            assert all(query.legend for query in panel.queries), panel.title
    assert all(panel["description"] for panel in panels_of(rendered(board)) if panel["type"] != "row")


@every_board
def test_what_may_be_empty_says_why(board):
    for panel in board.panels():
        assert panel.empty or not panel.filled, panel.title
        if panel.empty:
            assert not panel.empty.endswith("."), panel.title
    for panel in panels_of(rendered(board)):
        reason = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue")
        assert (reason is not None) == ("May be empty: " in panel.get("description", "")), panel["title"]


def test_few_panels_may_be_empty():
    panels = [panel for board in BOARDS for panel in board.panels()]
    assert sum(panel.may_be_empty for panel in panels) < len(panels) / 6


# --- links and variables ---------------------------------------------------------------------------------------------


@every_board
def test_links_lead_somewhere_and_take_along_what_is_known_there(board):
    boards = {other.uid: other for other in BOARDS}
    ours = {variable.name for variable in board.variables}
    for panel in board.panels():
        for link in panel.links:
            theirs = {variable.name for variable in boards[link.to].variables}
            assert set(link.labels) <= theirs, (panel.title, link)
            assert set(link.keep) <= theirs & ours, (panel.title, link)
            assert link.to != board.uid, panel.title
            for label in link.labels:
                asked = " ".join(query.expr for query in panel.queries)
                assert re.search(rf"\b{label}\b", asked), f"{panel.title}: its series have no {label}"


@every_board
def test_every_variable_is_defined_and_used(board):
    defined = {variable.name for variable in board.variables}
    asked = [query.expr for panel in board.panels() for query in panel.queries]
    asked += [variable.expr for variable in board.variables]
    asked += [panel.title for panel in board.panels()] + [panel.repeat or "" for panel in board.panels()]
    used = {name for expr in asked for name in VARIABLE.findall(expr)}
    used |= {panel.repeat for panel in board.panels() if panel.repeat}
    assert used - BUILT_IN.keys() <= defined
    assert defined <= used
    offered = [variable["name"] for variable in rendered(board)["templating"]["list"]]
    assert offered == [*board.sources(), *(variable.name for variable in board.variables)]


# --- queries ---------------------------------------------------------------------------------------------------------


@every_board
def test_every_promql_query_parses_and_asks_for_metrics_that_exist(board):
    for expr in expressions(board, Source.PROMETHEUS):
        for selector in selectors(promql_parser.parse(expr)):
            assert selector.name in metric_names.known() | NOT_METRICS, expr


def test_every_listed_metric_is_asked_for():
    asked = {
        selector.name
        for board in BOARDS
        for expr in expressions(board, Source.PROMETHEUS)
        for selector in selectors(promql_parser.parse(expr))
    }
    assert not metric_names.known() - asked


def test_no_metric_is_listed_twice():
    names = [
        name
        for listed in metric_names.by_exporter().values()
        for name in [*listed.get("always", []), *listed.get("rare", {})]
    ]
    assert len(set(names)) == len(names)


@every_board
def test_every_logql_query_has_a_selector_that_matches_something(board):
    """Loki refuses a selector that nothing has to match. Whether it parses, the test on the lab tells."""
    for expr in expressions(board, Source.LOKI):
        chosen = re.findall(r"{[^{}]*}", expr)
        assert chosen, expr
        for selector in chosen:
            assert re.search(r'=~?(["`])(?!\1)(?!\.\*\1)', selector), expr
        assert balanced(expr), expr
        assert "$" not in expr, expr


def balanced(expr):
    """Brackets outside of strings are closed in order."""
    stack = []
    closing = {")": "(", "]": "[", "}": "{"}
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', "", expr):
        if sign in "([{":
            stack.append(sign)
        elif sign in closing and (not stack or stack.pop() != closing[sign]):
            return False
    return not stack and expr.count("`") % 2 == 0


@pytest.mark.parametrize("wrong", ["sum(rate({a=`b`} [5m])", "sum(x)) (", "{a=`b}"])
def test_unbalanced_queries_are_found(wrong):
    assert not balanced(wrong)
