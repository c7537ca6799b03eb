"""How the queries are asked and judged, with a stand-in for Prometheus and Loki."""

import json
import math
import subprocess

import pytest

from dashboards import units
from dashboards.boards import BOARDS
from dashboards.model import Ask, Board, Kind, Panel, Query, Row, Source, Variable, Word
from tests.support.observers import Observer, parse
from tests.support.panels import (
    Answer,
    QueryError,
    Series,
    ask_all,
    everything,
    faults,
    filled,
    variable_faults,
)
from tests.support.panels_text import UNITS, describe, shown

SITE = Variable("site", "Site", Ask.LABEL, expr="up", value_of="site")
TEXT = Variable("search", "Text", Ask.TEXT)
LEVEL = Variable("level", "Level", Ask.CHOICE, choices=("info", "error"))


def panel(expr, kind=Kind.SERIES, source=Source.PROMETHEUS, **more):
    return Panel("Requests", "Requests.", units.COUNT, kind, (Query(expr, "{{site}}", source),), **more)


def board(*panels, variables=(SITE,)):
    return Board("tandem-x", "X", "An example.", (Row("Row", panels),), variables)


class Lab:
    """Runs nothing: answers each command with what was prepared, and remembers it."""

    def __init__(self, stdout="", stderr="", code=0):
        self.asked = []
        self.done = subprocess.CompletedProcess([], code, stdout, stderr)

    def run(self, host, command):
        self.asked.append((host, command))
        return self.done


def vector(*values):
    result = [{"metric": {"site": site}, "value": [1, str(value)]} for site, value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


# --- variables -------------------------------------------------------------------------------------------------------


def test_everything_is_chosen_and_nothing_typed():
    assert everything(board(variables=(SITE, TEXT, LEVEL))) == {"site": ".+", "search": "", "level": ".+"}


@pytest.mark.parametrize(
    ("expr", "whole"),
    [
        ('x{site=~"$site"}', 'x{site=~".+"}'),
        ("rate(x[$__rate_interval])", "rate(x[5m])"),
        ("increase(x[${__range}])", "increase(x[1h])"),
        ("{a=`b`} |~ `(?i)$search` [$__auto]", "{a=`b`} |~ `(?i)` [5m]"),
    ],
)
def test_variables_are_filled_in(expr, whole):
    assert filled(expr, {"site": ".+", "search": ""}) == whole


def test_an_undefined_variable_is_named():
    with pytest.raises(KeyError, match="host"):
        filled("x{host=~'$host'}", {"site": ".+"})


# --- asking and judging ----------------------------------------------------------------------------------------------


def asked_with(answer, *panels):
    def query(source, expr, lines):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return list(ask_all([board(*panels)], query))


def test_an_answer_is_no_fault():
    assert faults(asked_with([Series({"site": "msk"}, 0.0)], panel("x"))) == []


@pytest.mark.parametrize("answer", [[], [Series({}, math.nan)], [Series({}, math.nan), Series({}, math.nan)]])
def test_nothing_and_no_number_are_faults_unless_the_panel_may_be_empty(answer):
    (fault,) = faults(asked_with(answer, panel('x{site=~"$site"}')))
    assert 'X / Requests: x{site=~".+"}' in fault
    assert "is empty" in fault
    assert faults(asked_with(answer, panel("x", empty="nothing is wrong"))) == []
    assert len(faults(asked_with(answer, panel("x", empty="nobody asks", filled=True)))) == 1


def test_one_number_among_others_is_enough():
    assert faults(asked_with([Series({}, math.nan), Series({}, 1)], panel("x"))) == []


def test_a_refused_query_is_a_fault_also_where_nothing_may_come():
    (fault,) = faults(asked_with(QueryError("parse error"), panel("x(", empty="nothing is wrong")))
    assert "parse error" in fault


def test_every_query_of_a_panel_counts():
    two = Panel("Two", "Two.", units.COUNT, Kind.SERIES, (Query("a", "a"), Query("b", "b")))
    answers = ask_all([board(two)], lambda source, expr, lines: [Series({}, 1)] if expr == "a" else [])
    assert [fault.splitlines()[0] for fault in faults(answers)] == ["X / Two: b"]


def test_all_queries_of_all_dashboards_are_asked_of_their_sources():
    asked = []
    answers = list(
        ask_all(BOARDS, lambda source, expr, lines: asked.append((source, lines)) or [Series({}, 1)])
    )
    assert len(answers) == sum(len(one.queries) for board in BOARDS for one in board.panels())
    assert {source for source, _ in asked} == set(Source)
    assert all(lines == (one.panel.kind is Kind.LOGS) for one, (_, lines) in zip(answers, asked, strict=True))


def test_variables_that_offer_nothing_are_faults():
    one = board(panel("x"), variables=(SITE, TEXT, LEVEL))
    asked = []

    def query(source, expr, lines):
        asked.append(expr)
        return [Series({"site": "msk"}, 3)]

    assert variable_faults([one], query) == []
    assert asked == ["count by (site) (up)"]
    assert "offers nothing" in variable_faults([one], lambda *_: [])[0]
    assert "offers nothing" in variable_faults([one], lambda *_: [Series({}, 3)])[0]


# --- the data sources ------------------------------------------------------------------------------------------------


def test_prometheus_is_asked_on_its_host_with_its_certificate():
    lab = Lab(vector(("msk", 2), ("spb", "NaN")))
    answer = Observer(lab, "msk-obs1")(Source.PROMETHEUS, "up", False)
    assert answer[0] == Series({"site": "msk"}, 2.0)
    assert math.isnan(answer[1].value)
    ((host, command),) = lab.asked
    assert host == "msk-obs1"
    assert command[-1] == "https://msk-obs1:9090/api/v1/query"
    assert "query=up" in command
    assert "/etc/tandem/tls/metrics/key.pem" in command


def test_lines_of_loki_are_asked_for_as_lines():
    stream = {"stream": {"site": "msk"}, "values": [["2", "second"], ["1", "first"]]}
    lab = Lab(json.dumps({"status": "success", "data": {"resultType": "streams", "result": [stream]}}))
    (series,) = Observer(lab, "msk-obs1")(Source.LOKI, "{site=`msk`}", True)
    assert (series.value, series.line) == (2, "second")
    assert lab.asked[0][1][-1] == "https://msk-obs1:3100/loki/api/v1/query_range"
    Observer(lab, "msk-obs1")(Source.LOKI, "sum(rate({site=`msk`} [5m]))", False)
    assert lab.asked[1][1][-1] == "https://msk-obs1:3100/loki/api/v1/query"


@pytest.mark.parametrize(
    "lab",
    [
        Lab(json.dumps({"status": "error", "errorType": "bad_data", "error": "no such thing"})),
        Lab("no such thing\n"),  # Loki refuses in plain text
        Lab("", "no such thing", 7),
    ],
)
def test_a_refusal_is_told_in_the_sources_own_words(lab):
    with pytest.raises(QueryError, match="no such thing"):
        Observer(lab, "msk-obs1")(Source.LOKI, "x", False)


def test_scalars_are_one_series():
    text = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, "5"]}})
    assert parse(text) == [Series({}, 5.0)]


# --- as text ---------------------------------------------------------------------------------------------------------


def test_a_dashboard_as_text():
    states = panel("up", Kind.STATES, words=(Word(0, "down", "red"), Word(1, "up", "green")))
    nothing = Panel(
        "Silence", "Silence.", units.COUNT, Kind.SERIES, (Query("none", "x"),), empty="all is well"
    )
    refused = Panel("Refused", "Refused.", units.COUNT, Kind.SERIES, (Query("bad", "x"),))
    one = board(states, nothing, refused)
    answers = [
        Answer(
            one, states, states.queries[0], "up", [Series({"site": "msk"}, 1), Series({"site": "spb"}, 0)]
        ),
        Answer(one, nothing, nothing.queries[0], "none", [Series({}, math.nan)]),
        Answer(one, refused, refused.queries[0], "bad", error="parse error"),
    ]
    lines = [" ".join(line.split()) for line in describe(one, answers).splitlines()]
    assert lines == [
        "== X",
        "An example.",
        "-- Row",
        "Requests msk up",
        "spb down",
        "Silence nothing (all is well)",
        "Refused REFUSED: parse error",
    ]


def test_many_series_are_cut_short():
    one = panel("x")
    many = [Series({"site": str(number)}, number) for number in range(9)]
    text = describe(board(one), [Answer(board(one), one, one.queries[0], "x", many)])
    assert "… 3 more" in text


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (units.SECONDS, 0.25, "250 ms"),
        (units.SECONDS, 42, "42 s"),
        (units.SECONDS, 30 * 86400, "30 days"),
        (units.SECONDS, 0, "0 s"),
        (units.BYTES, 5 * 1024**3, "5 GiB"),
        (units.BYTES, 0, "0 B"),
        (units.SHARE, 0.9995, "100.0 %"),
        (units.COUNT, 3.14159, "3.14"),
        (units.ROUBLES, 1299.5, "1,299.50 RUB"),
    ],
)
def test_values_have_their_units(unit, value, text):
    assert shown(Panel("x", "x.", unit, Kind.SERIES, ()), Series({}, value)) == text


def test_every_unit_can_be_shown():
    assert UNITS.keys() == units.ALL
