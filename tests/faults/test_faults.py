"""Every fault, five times each, with a table of the figures at the end: `make faults`."""

import time

import pytest

from tests.support.faults import FAULTS, run_fault

REPEATS = 5
ROWS = []


@pytest.fixture(scope="module", autouse=True)
def table(lab):
    yield
    print("\n" + "\n".join(ROWS))
    for name in FAULTS:
        rows = [row for row in ROWS if row.startswith(f"{name} ")]
        longest = [
            max((float(row.split(f"{what} gap")[1].split()[0]) for row in rows), default=0.0)
            for what in ("write", "payment")
        ]
        if rows:
            print(
                f"{name:26} of {len(rows)} runs: write gap {longest[0]:.1f} s, payment gap {longest[1]:.1f} s"
            )


# All faults in turn, so that none follows upon itself: the stall guard asks for one failover in two minutes at most.
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("turn", range(1, REPEATS + 1))
def test_fault(lab, logs, name, turn):
    outcome = run_fault(lab, FAULTS[name], logs / f"{name}-{turn}-{int(time.time())}.log")
    ROWS.append(outcome.line())
    print(outcome.line())
    assert outcome.contradictions == []
    assert outcome.write_gap <= FAULTS[name].promise, outcome.line()
