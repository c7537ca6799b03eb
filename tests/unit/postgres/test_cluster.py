"""What the monitor's rows mean: at rest or not, who leads, and what must not be done now."""

from typing import Any

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import postgres_cluster as cluster

BOTH = ["msk", "spb"]


def test_a_primary_and_its_standby_are_at_rest(node: Any) -> None:
    assert cluster.problems([node("msk", "primary"), node("spb", "secondary")], BOTH) == []


def test_a_single_node_is_at_rest_when_only_one_is_configured(node: Any) -> None:
    assert cluster.problems([node("msk", "single")], ["msk"]) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"goal": "catchingup"}, "secondary>catchingup"),
        ({"health": 0}, "health 0"),
        ({"priority": 0}, "priority 0"),
        ({"quorum": False}, "quorum False"),
        ({"reported": "maintenance", "goal": "maintenance"}, "instead of primary, secondary"),
    ],
)
def test_what_is_wrong_with_a_standby_is_named(node: Any, changes: dict[str, Any], expected: str) -> None:
    found = cluster.problems([node("msk", "primary"), node("spb", "secondary", **changes)], BOTH)
    assert expected in "; ".join(found)


def test_nodes_that_are_missing_or_unknown_are_named(node: Any) -> None:
    found = "; ".join(cluster.problems([node("msk", "single"), node("old", "secondary")], BOTH))
    assert "spb is not registered" in found
    assert "old is registered but not configured" in found


def test_of_an_absent_node_nothing_is_required(node: Any) -> None:
    nodes = [node("msk", "wait_primary"), node("spb", "secondary", goal="catchingup", health=0)]
    assert cluster.problems(nodes, BOTH, ["spb"]) == []
    assert "no node takes writes" in cluster.problems([node("msk", "demote_timeout")], BOTH, ["spb"])


def test_two_leaders_are_none(node: Any) -> None:
    assert cluster.leader([node("msk", "primary"), node("spb", "wait_primary")]) is None


def test_a_node_on_its_way_out_does_not_lead(node: Any) -> None:
    assert not node("msk", "primary", goal="draining").leads


def test_a_standby_without_priority_is_degraded(node: Any) -> None:
    weak = node("spb", "secondary", priority=0, quorum=False)
    assert cluster.degraded([node("msk", "primary"), weak]) == weak
    assert cluster.degraded([node("msk", "primary"), node("spb", "secondary")]) is None


def test_a_switchover_needs_rest_and_exactly_one_streaming_standby(node: Any) -> None:
    nodes = [node("msk", "primary"), node("spb", "secondary")]
    assert cluster.switchover_refusals(nodes, 1, BOTH) == []
    assert cluster.switchover_refusals(nodes, 0, BOTH) == ["0 standbys stream from the primary instead of 1"]
    assert cluster.switchover_refusals(nodes, None, BOTH) == ["the primary can't be asked for its standby"]
    down = [node("msk", "primary"), node("spb", "secondary", health=0)]
    assert cluster.switchover_refusals(down, 1, BOTH)


def test_only_a_standby_may_be_replaced(node: Any) -> None:
    lost = node("spb", "secondary", health=0)
    assert cluster.may_replace([node("msk", "wait_primary"), lost], lost.host, lost.port) is None
    assert cluster.may_replace([node("msk", "secondary"), node("spb", "primary")], lost.host, lost.port)
    assert cluster.may_replace([node("msk", "wait_primary", health=0), lost], lost.host, lost.port)
    assert cluster.may_replace([lost], lost.host, lost.port)
