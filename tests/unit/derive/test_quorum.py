"""The general rule of voters."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.problems import Report
from ansible_collections.tandem.platform.plugins.plugin_utils.quorum import check_voters


@pytest.mark.parametrize(
    ("voters", "expected"),
    [
        ({"a": "msk", "b": "spb", "c": "wit"}, []),
        ({"a": "msk"}, []),
        ({"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}, []),
        ({"a": "msk", "b": "spb"}, ["2 voters (a, b), an even number"]),
        ({"a": "msk", "b": "msk", "c": "wit"}, ["2 voters in site msk (a, b)"]),
        ({"a": "msk", "b": "msk"}, ["2 voters in site msk", "an even number"]),
        ({}, ["0 voters"]),
    ],
)
def test_one_voter_per_site_and_an_odd_number(voters, expected):
    report = Report()
    check_voters("The queue", "group data", voters, report)
    assert len(report.problems) == len(expected)
    for problem, part in zip(report.problems, expected, strict=True):
        assert part in problem.what
        assert problem.where == "group data"
