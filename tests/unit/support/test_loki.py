"""The query client of the tests, with answers as Loki gives them."""

import json
from types import SimpleNamespace

import pytest

from tests.support.loki import Line, Loki, LokiError, parse_count


class FakeLab:
    """Answers commands in their order, and keeps them."""

    def __init__(self, *answers, code=0):
        self.answers = [answer if isinstance(answer, str) else json.dumps(answer) for answer in answers]
        self.code = code
        self.commands = []

    def run(self, host, command):
        self.commands.append((host, command))
        return SimpleNamespace(returncode=self.code, stdout=self.answers.pop(0), stderr="why")


def streams(*found):
    return {"status": "success", "data": {"resultType": "streams", "result": list(found)}}


def stream(labels, *values):
    return {"stream": labels, "values": [list(value) for value in values]}


def asked(command):
    """The parameters of a query."""
    given = [command[at + 1] for at, word in enumerate(command) if word == "--data-urlencode"]
    return dict(pair.split("=", 1) for pair in given)


def test_lines_of_all_streams_in_order():
    first = stream({"service": "a"}, ("2000000000", "two"), ("1000000000", "one"))
    lab = FakeLab(streams(first, stream({"service": "b", "request_id": "r"}, ("1500000000", '{"x": 1}'))))
    found = Loki(lab, "msk-obs1").lines('{service="a"}', 60)
    assert [(line.time, line.text) for line in found] == [(1.0, "one"), (1.5, '{"x": 1}'), (2.0, "two")]
    assert found[1].json() == {"x": 1}
    host, command = lab.commands[0]
    assert host == "msk-obs1"
    assert command[-1] == "https://msk-obs1:3100/loki/api/v1/query_range"
    parameters = asked(command)
    assert parameters["query"] == '{service="a"}'
    assert int(parameters["end"]) - int(parameters["start"]) == pytest.approx(120e9, rel=1e-3)


def test_an_answer_that_may_be_cut_off_is_an_error():
    lab = FakeLab(streams(stream({}, ("1", "one"), ("2", "two"))))
    with pytest.raises(LokiError, match="2 lines or more"):
        Loki(lab, "h").lines("{}", limit=2)


def test_a_refused_query_is_an_error_with_lokis_words():
    with pytest.raises(LokiError, match="parse error"):
        Loki(FakeLab("parse error at line 1", code=22), "h").lines("{")


def test_counts():
    assert parse_count([]) == 0
    assert parse_count([{"metric": {}, "value": [1764.1, "42"]}]) == 42


def test_streams():
    lab = FakeLab({"status": "success", "data": [{"service": "a"}, {"service": "b"}]})
    assert Loki(lab, "h").series() == [{"service": "a"}, {"service": "b"}]


def test_lines_of_an_order_and_of_its_requests():
    own = streams(
        stream({"request_id": "r2", "order_id": "o"}, ("2", "worker")),
        stream({"request_id": "r1", "order_id": "o"}, ("1", "service")),
        stream({"order_id": "o"}, ("3", "timer")),
    )
    all_of_them = streams(stream({"request_id": "r1"}, ("1", "edge")))
    lab = FakeLab(own, all_of_them)
    assert [line.text for line in Loki(lab, "h").of_order("o")] == ["edge", "timer"]
    assert asked(lab.commands[1][1])["query"] == '{host=~".+"} | request_id =~ `r1|r2`'


def test_everything_page_by_page(monkeypatch):
    monkeypatch.setattr("tests.support.loki.MOST", 3)
    pages = [
        streams(stream({"a": "1"}, ("1000", "x"), ("2000", "y")), stream({"a": "2"}, ("2000", "z"))),
        streams(stream({"a": "1"}, ("2000", "y")), stream({"a": "2"}, ("2000", "z"), ("2000", "w"))),
        streams(stream({"a": "1"}, ("2000", "y")), stream({"a": "2"}, ("3000", "v"))),
    ]
    with pytest.raises(LokiError, match="have the time 2000"):
        list(Loki(FakeLab(*pages), "h").everything())
    pages[1] = streams(stream({"a": "1"}, ("2000", "y")), stream({"a": "2"}, ("2000", "z"), ("3000", "w")))
    pages[2] = streams(stream({"a": "2"}, ("3000", "w"), ("3000", "v")))
    lab = FakeLab(*pages)
    assert [line.text for line in Loki(lab, "h").everything()] == ["x", "y", "z", "w", "v"]
    assert [asked(command)["start"] for _, command in lab.commands[1:]] == ["2000", "3000"]


def test_an_order_without_lines():
    lab = FakeLab(streams())
    assert Loki(lab, "h").of_order("o") == []
    assert len(lab.commands) == 1


def test_a_line_that_is_no_object():
    with pytest.raises(ValueError, match="no object"):
        Line(1.0, {}, "[1]").json()
