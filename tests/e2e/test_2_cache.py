"""What the edges keep, and that nothing private is ever among it."""

import itertools
import uuid

import pytest

from tests.support.playbook import playbook
from tests.support.shop import PASSWORD, logged_in

EDGES = ["msk-edge1", "msk-edge2", "spb-edge1"]
PUBLIC = ["/products/?size=3", "/products/1", "/en/shop/", "/ru/shop/?q=coffee", "/en/shop/1"]
PRIVATE = ["/users/me", "/cart", "/orders", "/api/home", "/en/cart", "/ru/account/orders", "/en/checkout"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]


@pytest.fixture(params=EDGES)
def edge(request, lab):
    return lab.env()["hosts"][request.param]["address"]


def test_public_answers_are_kept(browser, edge):
    shop = browser(edge)
    for path in PUBLIC:
        path += f"{'&' if '?' in path else '?'}run={uuid.uuid4().hex}"
        first, second = shop.ask("GET", path), shop.ask("GET", path)
        assert (first.status, first.headers["x-cache"]) == (200, "MISS"), (path, first)
        assert (second.headers["x-cache"], second.text) == ("HIT", first.text), path
        assert "edge;dur=" in second.headers["server-timing"]
        assert "s-maxage" in second.headers["cache-control"]


def page_session(shop):
    """Log a new person in on the pages, as a browser does; returns their cookies and e-mail address."""
    email = f"{uuid.uuid4().hex[:10]}@example.org"
    body = f"name=Olga&email={email.replace('@', '%40')}&password={PASSWORD.replace(' ', '+')}"
    answer = shop.ask(
        "POST",
        "/en/account/register",
        data=body,
        Content_Type="application/x-www-form-urlencoded",
        Sec_Fetch_Site="same-origin",
    )
    assert answer.status == 303, answer
    cookies = [value.split(";")[0] for key, value in answer.cookies]
    assert cookies, answer
    return "; ".join(cookies), email


def test_two_people_never_see_each_others_data(browser, edge):
    """The same paths by two people, by token and by cookie, in turn and with every method."""
    people = []
    for name in ("Boris", "Wanda"):
        shop = browser(edge)
        email = logged_in(shop, name)
        cookie, page_email = page_session(browser(edge))
        people.append((shop, email, cookie, page_email))
    for method, path in itertools.product(METHODS, [*PUBLIC, *PRIVATE]):
        for (shop, email, cookie, page_email), other in zip(people, reversed(people), strict=True):
            answer = shop.ask(method, path, Cookie=cookie, Sec_Fetch_Site="same-origin")
            assert answer.status != 0, (method, path, answer)
            for theirs in (other[1], other[3], {"Boris": "Wanda", "Wanda": "Boris"}[name_of(shop, people)]):
                assert theirs not in answer.text, (method, path)
            if path in PRIVATE:
                assert answer.headers.get("x-cache") == "-", (method, path, answer.headers)
                assert "no-store" in answer.headers.get("cache-control", "no-store"), (method, path)
    mine = people[0][0].ask("GET", "/users/me")
    assert people[0][1] in mine.text, "the test must be able to see what it looks for"


def name_of(shop, people):
    return "Boris" if shop is people[0][0] else "Wanda"


def test_public_pages_are_the_same_bytes_for_everybody(browser, edge):
    cookie, email = page_session(browser(edge))
    path = f"/en/shop/?run={uuid.uuid4().hex}"
    known = browser(edge).ask("GET", path, Cookie=cookie)
    stranger = browser(edge).ask("GET", path)
    assert known.headers["x-cache"] == "MISS"
    assert stranger.text == known.text
    assert email not in known.text
    assert "set-cookie" not in known.headers


def test_purge_by_playbook(browser, edge):
    shop = browser(edge)
    path = f"/products/?size=2&run={uuid.uuid4().hex}"
    shop.ask("GET", path)
    assert shop.ask("GET", path).headers["x-cache"] in ("HIT", "STALE", "UPDATING")
    run = playbook("playbooks/cache_purge.yml", "-e", "path=/products/")
    assert run.rc == 0, run.output[-3000:]
    assert shop.ask("GET", path).headers["x-cache"] == "MISS"
