"""The page of events."""

import re
from html import unescape

import pytest
from support.browser import text
from support.shop import happened

ANN, BOB = "8f7f0f6e-5f3e-4f3b-9f7e-0123456789ab", "11111111-5f3e-4f3b-9f7e-0123456789ab"
PAGE = "/en/account/events"
ALL = ["later.release", "Login failed", "Order placed", "Logged in", "Account made"]


@pytest.fixture
def admin(shop, ann):
    """Ann, who is an administrator, and what happened in her shop."""
    shop.administrators.add("ann@example.org")
    shop.events = [
        happened("later.release", "2026-11-25T14:00:00+00:00", None),
        happened("user.login_failed", "2026-11-25T13:48:00+00:00", None, count=7),
        happened("order.created", "2026-11-25T12:00:00+00:00", BOB, note="<b>bold</b>"),
        happened("user.logged_in", "2026-11-24T23:59:59+00:00", ANN),
        happened("user.registered", "2026-11-24T00:00:00+00:00", ANN, email="ann@example.org"),
    ]
    return ann


def rows(answer):
    assert answer.status_code == 200, answer.text
    body = answer.text.partition("<tbody>")[2]
    return [re.findall(r"<td>(.*?)</td>", row, re.DOTALL)[1] for row in body.split("<tr>")[1:]]


def test_events(admin):
    page = admin.get(PAGE)
    assert rows(page) == ALL
    assert page.headers.getlist("Cache-Control") == ["no-store"]
    seen = text(page)
    for part in ("25 November 2026, 13:48 UTC", "count", "7", "nobody's", "Request r-1", ANN):
        assert part in seen
    assert "<b>bold" not in page.text
    assert "Неудачный вход" in admin.get("/ru/account/events").text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=user.logged_in", ["Logged in"]),
        ("type=later.release", ["later.release"]),
        (f"user={ANN}", ["Logged in", "Account made"]),
        (f"user=+{ANN.upper()}", ["Logged in", "Account made"]),
        ("since=2026-11-25", ["later.release", "Login failed", "Order placed"]),
        ("until=2026-11-24", ["Logged in", "Account made"]),
        (f"since=2026-11-24&until=2026-11-25&user={BOB}", ["Order placed"]),
        ("type=&user=&since=&until=&before=", ALL),
        ("type=%3Cscript%3E&before=%22", ALL),
    ],
)  # fmt: skip
def test_filters(admin, query, expected):
    assert rows(admin.get(f"{PAGE}?{query}")) == expected


def test_a_filter_is_kept(admin, shop):
    page = admin.get(f"{PAGE}?type=user.logged_in&user={ANN}&since=2026-11-01")
    for part in ('<option value="user.logged_in" selected>', f'value="{ANN}"', 'value="2026-11-01"'):
        assert part in page.text
    assert f'href="/ru/account/events?type=user.logged_in&amp;user={ANN}&amp;since=2026-11-01"' in page.text
    assert "There are no such events" in text(admin.get(f"{PAGE}?type=order.paid"))


def test_pages(admin, shop):
    shop.events = [
        happened("user.logged_in", f"2026-11-25T12:00:{60 - n:02}+00:00", ANN) for n in range(1, 56)
    ]
    path, seen = f"{PAGE}?user={ANN}", []
    while path:
        page = admin.get(path)
        seen.append(len(rows(page)))
        following = re.search(r'rel="next" href="([^"]*)"', page.text)
        path = unescape(following[1]) if following else None
        assert path is None or f"user={ANN}" in path
    assert seen == [25, 25, 5]
    assert f'href="{PAGE}?user={ANN}">Newest events' in page.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("user=ann", "user"),
        ("since=yesterday", "since"),
        ("until=2026-02-30", "until"),
        ("until=9999-12-31", "until"),
        ("user=%00%22%3E", "user"),
    ],
)
def test_a_wrong_filter_is_named(admin, query, field):
    page = admin.get(f"{PAGE}?{query}")
    assert page.status_code == 422
    assert f'<a href="#{field}">' in page.text
    assert f'id="{field}-error"' in page.text
    assert "<tbody>" not in page.text


@pytest.mark.parametrize("query", ["", "?user=wrong"])
def test_only_administrators_see_it(shop, ann, browser, query):
    shop.events = [happened("user.registered", "2026-11-24T00:00:00+00:00", ANN)]
    refused = ann.get(PAGE + query)
    assert refused.status_code == 403
    assert "Only for administrators" in text(refused)
    assert "<form class=" not in refused.text.partition("<main")[2]
    stranger = browser.get(PAGE + query)
    assert (stranger.status_code, stranger.location.partition("?")[0]) == (303, "/en/account/login")


def test_the_link_is_for_administrators(shop, ann, admin, browser):
    """Without JavaScript it is on the pages that know the account; elsewhere /api/home tells."""
    link = r'<a class="tool" href="/en/account/events" data-audit( hidden| aria-current="page")?>'

    def state(answer):
        found = re.search(link, answer.text)
        assert found
        return found[1]

    assert state(browser.get("/en/shop/")) == " hidden"
    assert state(admin.get("/en/account/orders")) is None
    assert state(admin.get(PAGE)) == ' aria-current="page"'
    assert admin.home("?parts=me")["me"]["admin"] is True
    shop.administrators.clear()
    assert state(ann.get("/en/account/orders")) == " hidden"
    assert ann.home("?parts=me")["me"]["admin"] is False


def test_audit_is_away(shop, admin):
    shop.audit.down = True
    assert admin.get(PAGE).status_code == 503
    assert admin.get("/en/account/orders").status_code == 200
