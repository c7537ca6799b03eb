"""A trouble is told within two minutes, by one mail, without what it explains; and it is told when it is over."""

import time

import pytest

from tests.support.alerts import Notice, firing, mails, posted
from tests.support.cluster import wait_settled
from tests.support.faults import site
from tests.support.troubles import TROUBLES

FIRES = 120
"""Seconds that docs/alerts.md promises."""
HOLD = 100
"""Seconds more for what else might fire."""
OVER = 400
"""Seconds until it is told that it is over: a host boots, and groups of tickets are told of every two minutes."""
CALM = 420
BUDGETS = "BudgetBurns"
"""In the names of the objectives' alerts, which don't count: a lab that is broken every few minutes has no budget."""


def wait_calm(lab, watchers):
    """Wait until nothing fires."""
    end = time.time() + CALM
    while alerts := [
        str(alert) for host in watchers for alert in firing(lab, host) if BUDGETS not in alert.name
    ]:
        assert time.time() < end, f"still fires: {alerts}"
        time.sleep(5)


def wait_fired(lab, seeing, trouble, place, began):
    """Wait until it fires; the seconds it took."""
    while True:
        alerts = [alert for host in seeing for alert in firing(lab, host)]
        if any(alert.name == trouble.told and alert.labels[trouble.label] == place for alert in alerts):
            return time.time() - began
        assert time.time() - began < FIRES, (
            f"{trouble.told} {place} does not fire; what does: {list(map(str, alerts))}"
        )
        time.sleep(2)


def told(lab, seeing, since):
    """Of what has been told by webhook since a moment, without the objectives' alerts."""
    notices = {notice for body in posted(lab, since, seeing) for notice in Notice.of(body, "firing")}
    return {notice for notice in notices if BUDGETS not in notice.name}


def wait_over(lab, seeing, expected, ended):
    """Wait until a mail says that it is over; the seconds that took."""
    while True:
        for mail in mails(lab, ended):
            if (mail.status, mail.group) == ("RESOLVED", str(expected)):
                return mail.received_at - ended
        assert time.time() - ended < OVER, (
            f"no mail says that it is over; still fires: {list(map(str, firing(lab, seeing[0])))}"
        )
        time.sleep(5)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_it_is_told(lab, watchers, trouble):
    wait_settled(lab)
    wait_calm(lab, watchers)
    place = trouble.where(lab)
    # Who is cut off himself takes all others for lost, and tells that by the way out that is left to him.
    seeing = [host for host in watchers if site(host) != place]
    began = time.time()
    trouble.begin(lab, place)
    try:
        fired = wait_fired(lab, seeing, trouble, place, began)
        time.sleep(HOLD)
        meanwhile = told(lab, seeing, began)
        held = sorted({str(alert) for host in seeing for alert in firing(lab, host) if alert.held})
    finally:
        ended = time.time()
        trouble.end(lab, place)
    expected = Notice(trouble.told, place if trouble.label == "site" else site(place))
    arrived = [mail for mail in mails(lab, began) if mail.status == "FIRING" and mail.group == str(expected)]
    mailed = f"{arrived[0].received_at - began:.0f} s" if arrived else "nothing"
    print(f"\n{trouble.name} ({place}): fires after {fired:.0f} s, mail after {mailed}, held back: {held}")
    assert len(arrived) == 1, mails(lab, began)
    assert meanwhile == {expected}
    over = wait_over(lab, seeing, expected, ended)
    print(f"{trouble.name} ({place}): over, mail {over:.0f} s after its end")
    wait_calm(lab, seeing)
    if not trouble.stale:
        assert told(lab, seeing, began) == {expected}, "what follows from it was told when it was over"
