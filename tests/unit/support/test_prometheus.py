"""The client of Prometheus, on answers as Prometheus gives them."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.prometheus import Prometheus, PrometheusError, Sample


def answering(data, **other):
    """A client whose server always answers this, and what it was asked."""
    asked = []

    def get(path):
        parts = urlsplit(path)
        asked.append((parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()}))
        return json.dumps({"status": "success", "data": data} | other)

    return Prometheus(get), asked


def vector(*values):
    """An answer with one series for each value, on hosts a, b, …"""
    return {
        "resultType": "vector",
        "result": [
            {"metric": {"host": name}, "value": [1.5, value]}
            for name, value in zip("abc", values, strict=False)
        ],
    }


def test_series_with_labels_and_values():
    client, asked = answering(vector("1", "0.5"))
    assert client.query("up > 0") == [Sample({"host": "a"}, 1), Sample({"host": "b"}, 0.5)]
    assert asked == [("/api/v1/query", {"query": "up > 0"})]


def test_a_moment():
    client, asked = answering(vector())
    assert client.query("up", at=12.5) == []
    assert asked[0][1]["time"] == "12.5"


def test_a_number():
    client, _ = answering({"resultType": "scalar", "result": [1.5, "7"]})
    assert client.query("7") == [Sample({}, 7)]


def test_one_value_or_none():
    assert answering(vector())[0].value("up") is None
    assert answering(vector("3"))[0].value("up") == 3
    with pytest.raises(ValueError, match="has 2 values"):
        answering(vector("3", "4"))[0].value("up")


def test_values_by_label():
    assert answering(vector("3", "4"))[0].by("host", "up") == {"a": 3, "b": 4}
    with pytest.raises(ValueError, match="several values of one site"):
        answering(vector("3", "4"))[0].by("site", "up")


def test_points():
    client, asked = answering({"result": [{"metric": {"host": "a"}, "values": [[1, "2"], [16, "NaN"]]}]})
    ((labels, points),) = client.query_range("up", 1, 16)
    assert labels == {"host": "a"}
    assert points[0] == (1, 2)
    assert asked[0][1] == {"query": "up", "start": "1", "end": "16", "step": "15"}


def test_what_is_down():
    client, _ = answering(
        {
            "activeTargets": [
                {"health": "up", "labels": {"job": "node", "instance": "a:1"}, "lastError": ""},
                {"health": "down", "labels": {"job": "node", "instance": "b:1"}, "lastError": "refused"},
            ]
        }
    )
    assert client.down() == ["node b:1: refused"]


def test_alerts_of_a_state():
    found = [{"state": "firing", "labels": {"alertname": "A"}}, {"state": "pending", "labels": {}}]
    client, _ = answering({"alerts": found})
    assert client.alerts() == found[:1]
    assert client.alerts("pending") == found[1:]


def test_what_is_refused_is_told():
    client, _ = answering(None, status="error", errorType="bad_data", error="parse error: x")
    with pytest.raises(PrometheusError, match="bad_data: parse error: x"):
        client.query("sum(")


def test_waiting_ends():
    client, _ = answering(vector())
    with pytest.raises(AssertionError, match="had no value for 0 s"):
        client.wait("up", seconds=0)
