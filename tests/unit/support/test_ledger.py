"""The offline checker must see a lost and a doubled order, and must not cry over unknown outcomes."""

import json

from tests.support.ledger import Ledger, check


def ledger(*lines):
    return Ledger.read(json.dumps(line) for line in lines)


def ack(key, order, email="a@x", t=1.0):
    return {"kind": "ack", "key": key, "order": order, "email": email, "t": t}


def test_acknowledged_and_listed_is_fine():
    assert check(ledger(ack("k1", 1), ack("k2", 2)), {"a@x": [1, 2]}) == []


def test_lost_order_is_found():
    problems = check(ledger(ack("k1", 1), ack("k2", 2)), {"a@x": [1]})
    assert problems == ["order 2 (key k2) was acknowledged to a@x and is not there"]


def test_doubled_order_is_found():
    assert any("has 2 orders" in p for p in check(ledger(ack("k1", 1)), {"a@x": [1, 7]}))


def test_one_key_with_two_orders_is_found():
    assert any(
        "answered with 2 orders" in p for p in check(ledger(ack("k1", 1), ack("k1", 2)), {"a@x": [1, 2]})
    )


def test_unknown_outcome_may_have_made_one_order():
    seen = ledger(ack("k1", 1), {"kind": "gaveup", "key": "k2", "email": "a@x", "t": 2.0, "why": "timeout"})
    assert check(seen, {"a@x": [1, 9]}) == []
    assert check(seen, {"a@x": [1]}) == []
    assert len(check(seen, {"a@x": [1, 9, 10]})) == 1


def test_write_gap_includes_the_edges_of_the_run():
    seen = ledger(
        {"kind": "started", "t": 0.0},
        write("checkout", 0.5, 500),
        write("cart", 2.0, 2500),
        write("cart", 5.0, 100, status=503),
        {"kind": "attempt", "op": "read", "edge": "e", "t": 6.0, "ms": 1.0, "status": 200},
        {"kind": "planned-end", "t": 10.0},
    )
    assert seen.write_gap() == 5.5


def write(op, t, ms, status=200):
    return {"kind": "attempt", "op": op, "edge": "e", "t": t, "ms": ms, "status": status}


def test_failures_are_refusals_and_missing_answers():
    seen = ledger(
        {"kind": "started", "t": 0.0},
        {"kind": "attempt", "op": "read", "edge": "e", "t": 1.0, "ms": 1.0, "status": 303},
        {"kind": "attempt", "op": "read", "edge": "e", "t": 2.0, "ms": 1.0, "status": 401},
        {"kind": "attempt", "op": "read", "edge": "e", "t": 2.5, "ms": 1.0, "status": 503},
        {"kind": "attempt", "op": "read", "edge": "e", "t": 3.0, "ms": 1.0, "error": "timed out"},
    )
    assert [a.t for a in seen.failures()] == [2.0, 2.5, 3.0]
