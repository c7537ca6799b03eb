"""Every query of every panel gives something, on both datacenters' Prometheus and Loki, while the shop is in use."""

import pytest

from dashboards.boards import BOARDS
from dashboards.model import Source
from tests.support import metric_names
from tests.support.load import Load
from tests.support.observers import observers
from tests.support.panels import ask_all, faults, variable_faults
from tests.support.panels_text import describe

LOAD_SECONDS = 90
"""Six scrapes, so that rates are known."""


@pytest.fixture(scope="module")
def answers(lab, logs):
    """What each observing host answered at the end of a load, and what was wrong with variables."""
    with Load(lab, logs / "panels.load", seconds=LOAD_SECONDS, pages=2.0):
        pass
    found = {}
    for observer in observers(lab):
        asked = list(ask_all(BOARDS, observer))
        text = "\n".join(describe(board, [one for one in asked if one.board is board]) for board in BOARDS)
        (logs / f"panels-{observer.host}.txt").write_text(text)
        found[observer.host] = (asked, variable_faults(BOARDS, observer))
    return found


def test_both_datacenters_observe(answers):
    assert len(answers) == 2, answers.keys()


def test_every_query_of_every_panel_gives_something(answers):
    wrong = {host: faults(asked) for host, (asked, _) in answers.items()}
    assert not any(wrong.values()), "\n".join(
        [f"{host}:\n  " + "\n  ".join(listed) for host, listed in wrong.items() if listed]
    )


def test_every_variable_offers_something(answers):
    wrong = [fault for _, listed in answers.values() for fault in listed]
    assert not wrong, "\n".join(wrong)


def test_all_listed_metrics_exist(lab):
    for observer in observers(lab):
        exists = {
            series.labels["__name__"]
            for series in observer(Source.PROMETHEUS, 'count by (__name__) ({__name__=~".+"})', False)
        }
        assert not metric_names.always() - exists, observer.host
